# The API's name: a certificate that ACM renews by itself, and the record that leads to the load balancer.
#
# The zone is there already, because its name is bought and delegated by people. The load balancer is made by its
# controller from the Ingress, so the record follows in a second apply, when there is one to name.

data "aws_route53_zone" "this" {
  name         = var.zone
  private_zone = false
}

resource "aws_acm_certificate" "this" {
  domain_name       = var.host
  validation_method = "DNS"

  options {
    certificate_transparency_logging_preference = "ENABLED"
  }

  lifecycle {
    # The load balancer uses the old one until it has been given the new one.
    create_before_destroy = true
  }
}

# ACM looks at this record whenever it renews: it stays.
resource "aws_route53_record" "validation" {
  for_each = toset([var.host])

  zone_id = data.aws_route53_zone.this.zone_id
  name    = one([for it in aws_acm_certificate.this.domain_validation_options : it.resource_record_name if it.domain_name == each.key])
  type    = one([for it in aws_acm_certificate.this.domain_validation_options : it.resource_record_type if it.domain_name == each.key])
  records = [for it in aws_acm_certificate.this.domain_validation_options : it.resource_record_value if it.domain_name == each.key]
  ttl     = 300

  # The same host in another region has the same record.
  allow_overwrite = true
}

# Done when the certificate is issued: a load balancer refuses one that is not.
resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for it in aws_route53_record.validation : it.fqdn]
}

data "aws_lb" "this" {
  count = var.load_balancer == null ? 0 : 1

  name = var.load_balancer
}

resource "aws_route53_record" "host" {
  count = var.load_balancer == null ? 0 : 1

  zone_id = data.aws_route53_zone.this.zone_id
  name    = var.host
  type    = "A"

  alias {
    name    = data.aws_lb.this[0].dns_name
    zone_id = data.aws_lb.this[0].zone_id
    # There is one load balancer: an answer that it is ill would help nobody.
    evaluate_target_health = false
  }
}

resource "aws_cloudwatch_metric_alarm" "certificate" {
  alarm_name          = "${var.name}-certificate-expires"
  alarm_description   = "ACM renews weeks before the end, and 30 days are left: is the validation record still there?"
  namespace           = "AWS/CertificateManager"
  metric_name         = "DaysToExpiry"
  dimensions          = { CertificateArn = aws_acm_certificate.this.arn }
  statistic           = "Minimum"
  period              = 24 * 3600
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 30
  # The number comes once or twice a day, and at first not at all.
  treat_missing_data = "ignore"
  alarm_actions      = var.alarm_topic_arns
  ok_actions         = var.alarm_topic_arns
}
