terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # The state holds Redis' passwords: a bucket with versions, encrypted by KMS and closed to all who may not read secrets.
  # Its name and region are given at `terraform init -backend-config=bucket=... -backend-config=region=...`.
  backend "s3" {
    key          = "taskhub/prod.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project     = "taskhub"
      Environment = "prod"
      ManagedBy   = "terraform"
    }
  }
}
