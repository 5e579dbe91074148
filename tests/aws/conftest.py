"""Terraform as its own tests have it; `make test-aws` runs this folder, `make test` does not."""

from tests.terraform.conftest import provider, terraform, terraform_program

__all__ = ["provider", "terraform", "terraform_program"]
