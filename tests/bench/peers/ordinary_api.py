"""POST and GET of tasks and jobs written the ordinary way: async ORM session, one object and one flush a row.

Same tables, same validation, same token check and same server as TaskHub's API, so that the ratio shows the writing.
"""

import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from taskhub_api.routes.job_models import JobIn, JobOut
from taskhub_api.routes.tasks import TaskIn, TaskOut
from taskhub_api.security.access_tokens import AccessTokens, Caller
from taskhub_api.settings import ApiSettings
from taskhub_core.database import tables
from taskhub_core.database.engine import sqlalchemy_url
from taskhub_core.ids import new_id
from taskhub_core.jobs.registry import registry

settings = ApiSettings()
tokens = AccessTokens(settings)


class Base(DeclarativeBase):
    """The declarative base over TaskHub's own tables."""

    metadata = tables.metadata


class Task(Base):
    """A task."""

    __table__ = tables.tasks.tasks


class OutboxRow(Base):
    """An event that waits to be sent."""

    __table__ = tables.events.outbox


class Job(Base):
    """A job."""

    __table__ = tables.jobs.jobs


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens and closes the pool."""
    registry.load(settings.job_kind_modules)
    engine = create_async_engine(sqlalchemy_url(settings), pool_size=settings.database_pool_size, pool_pre_ping=True)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """One session a request."""
    async with request.app.state.sessions() as opened:
        yield opened


async def caller(request: Request) -> Caller:
    """Who asks. (A coroutine: a plain function would cost a hop to the thread pool.)"""
    return tokens.check(request.headers["authorization"].removeprefix("Bearer "))


Session = Annotated[AsyncSession, Depends(session)]
Current = Annotated[Caller, Depends(caller)]


@app.post("/v1/tasks", status_code=201, response_model=TaskOut)
async def create_task(body: TaskIn, current: Current, db: Session) -> Task:
    """A task and its event."""
    now = datetime.now(UTC)
    task = Task(id=new_id(), account_id=current.account_id, created_at=now, updated_at=now, **body.model_dump())
    task.tags = list(body.tags)
    db.add(task)
    await db.flush()
    message: dict[str, Any] = json.loads(TaskOut.model_validate(task, from_attributes=True).model_dump_json())
    db.add(
        OutboxRow(id=new_id(), message={"type": "task.created", "account_id": str(current.account_id), "data": message})
    )
    await db.flush()
    await db.commit()
    return task


@app.get("/v1/tasks/{task_id}", response_model=TaskOut)
async def get_task(task_id: uuid.UUID, current: Current, db: Session) -> Task:
    """The task."""
    task = await db.get(Task, task_id)
    if task is None or task.account_id != current.account_id:
        raise HTTPException(404)
    return task


@app.post("/v1/jobs", status_code=202, response_model=JobOut)
async def submit_job(body: JobIn, current: Current, db: Session) -> dict[str, Any]:
    """A job, with its arguments validated."""
    kind = registry.get(body.kind)
    kind.parse(body.args)
    now = datetime.now(UTC)
    job = Job(
        id=body.job_id or new_id(),
        account_id=current.account_id,
        kind=body.kind,
        state="queued",
        run_at=now,
        args=body.args,
        fingerprint=hashlib.sha256(json.dumps(body.args, sort_keys=True).encode()).digest(),
        max_attempts=kind.retry.max_attempts,
        priority=body.priority,
    )
    db.add(job)
    await db.flush()
    await db.commit()
    await db.refresh(job)
    shown = {column.name: getattr(job, column.name) for column in tables.jobs.jobs.columns}
    return {**shown, "attempts": 0, "cancel_requested": False}
