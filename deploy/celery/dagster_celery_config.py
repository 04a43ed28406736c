"""What every Celery worker is told; `dagster_celery.app` looks for a module of this name.

    cd deploy/celery && celery -A dagster_celery.app worker --queues dagster --concurrency 4

The broker and the results' store are URLs like `redis://host:6379/0` or `amqp://user@host//`; the
results must be in Redis, so that every process can ask what became of a task.
"""

import os

broker_url = os.environ["REFUNDS_CELERY_BROKER"]
result_backend = os.environ["REFUNDS_CELERY_BACKEND"]
worker_prefetch_multiplier = 1  # a run is long: none waits behind another while a worker is idle
worker_max_tasks_per_child = 200
worker_send_task_events = True
broker_connection_retry_on_startup = True
