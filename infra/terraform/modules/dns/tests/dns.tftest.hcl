# What the API's name promises, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_route53_zone" {
    defaults = { zone_id = "Z0000000000000000001" }
  }
  mock_data "aws_lb" {
    defaults = {
      dns_name = "taskhub-test-1234567890.eu-central-1.elb.amazonaws.com"
      zone_id  = "Z0000000000000000002"
    }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-4000-8000-000000000001"
      domain_validation_options = [{
        domain_name           = "taskhub.example.com"
        resource_record_name  = "_mock.taskhub.example.com."
        resource_record_type  = "CNAME"
        resource_record_value = "_mock.acm-validations.aws."
      }]
    }
  }
  mock_resource "aws_route53_record" {
    defaults = { fqdn = "_mock.taskhub.example.com" }
  }
}

variables {
  name             = "taskhub-test"
  zone             = "example.com"
  host             = "taskhub.example.com"
  alarm_topic_arns = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
}

run "by_default" {
  assert {
    condition     = data.aws_route53_zone.this.name == "example.com" && data.aws_route53_zone.this.private_zone == false
    error_message = "The zone must be the public one: ACM sees no other."
  }

  # The certificate renews itself.
  assert {
    condition     = aws_acm_certificate.this.validation_method == "DNS"
    error_message = "Only a certificate that is validated by DNS renews itself."
  }
  assert {
    condition     = aws_acm_certificate.this.domain_name == "taskhub.example.com" && !strcontains(aws_acm_certificate.this.domain_name, "*")
    error_message = "The certificate must be for the API's host alone."
  }
  assert {
    condition     = aws_acm_certificate.this.options[0].certificate_transparency_logging_preference == "ENABLED"
    error_message = "Browsers refuse a certificate that is in no public log."
  }
  assert {
    condition = [for it in aws_route53_record.validation : [it.zone_id, it.name, it.type, one(it.records)]] == [
      ["Z0000000000000000001", "_mock.taskhub.example.com.", "CNAME", "_mock.acm-validations.aws."]
    ]
    error_message = "ACM must find the record that it asks for."
  }
  assert {
    condition     = aws_acm_certificate_validation.this.certificate_arn == aws_acm_certificate.this.arn && aws_acm_certificate_validation.this.validation_record_fqdns == toset(["_mock.taskhub.example.com"])
    error_message = "It must be waited for until the certificate is issued."
  }
  assert {
    condition     = output.certificate_arn == aws_acm_certificate_validation.this.certificate_arn
    error_message = "What comes out must be the issued certificate."
  }

  # Somebody hears when it does not renew.
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.certificate.metric_name == "DaysToExpiry" && aws_cloudwatch_metric_alarm.certificate.threshold == 30
      && aws_cloudwatch_metric_alarm.certificate.dimensions["CertificateArn"] == aws_acm_certificate.this.arn
    )
    error_message = "There must be an alarm 30 days before the certificate ends."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.certificate.alarm_actions == toset(var.alarm_topic_arns)
    error_message = "The alarm tells nobody."
  }

  assert {
    condition     = length(aws_route53_record.host) == 0
    error_message = "Without a load balancer the host leads nowhere."
  }
}

run "with_a_load_balancer" {
  variables {
    load_balancer = "taskhub-test"
  }

  assert {
    condition     = data.aws_lb.this[0].name == "taskhub-test"
    error_message = "The load balancer must be the one that is named."
  }
  assert {
    condition = (
      aws_route53_record.host[0].name == "taskhub.example.com" && aws_route53_record.host[0].type == "A"
      && aws_route53_record.host[0].zone_id == "Z0000000000000000001"
    )
    error_message = "The host must be in the zone."
  }
  assert {
    condition = (
      aws_route53_record.host[0].alias[0].name == "taskhub-test-1234567890.eu-central-1.elb.amazonaws.com"
      && aws_route53_record.host[0].alias[0].zone_id == "Z0000000000000000002"
    )
    error_message = "The host must lead to the load balancer, whatever addresses that has."
  }
}

run "mistakes_are_refused" {
  command = plan

  variables {
    name             = "TaskHub"
    zone             = "example.com."
    load_balancer    = "taskhub_test"
    alarm_topic_arns = ["taskhub-alarms"]
  }

  expect_failures = [
    var.name,
    var.zone,
    var.load_balancer,
    var.alarm_topic_arns,
  ]
}

run "a_wildcard_is_refused" {
  command = plan

  variables {
    host = "*.example.com"
  }

  expect_failures = [var.host]
}

run "a_host_outside_of_the_zone_is_refused" {
  command = plan

  variables {
    host = "taskhub.example.org"
  }

  expect_failures = [var.host]
}
