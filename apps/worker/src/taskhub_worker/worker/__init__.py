"""The process that runs jobs: Celery in the parent, one executor and one lease keeper in each child."""
