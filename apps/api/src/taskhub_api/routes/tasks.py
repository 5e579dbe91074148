"""/v1/tasks: create, get, list, change, delete, and create many."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from taskhub_api.answers import Answer, Write, to_json
from taskhub_api.database import Database
from taskhub_api.dependencies import CurrentCaller, Cursor, Db, ExpectedVersion, Limit, etag
from taskhub_api.fields import Timestamp
from taskhub_api.routes.documented import problems
from taskhub_api.shortcuts import Creates, Reads, Shortcut
from taskhub_core.errors import Unavailable
from taskhub_core.search.service import SearchService
from taskhub_core.tasks import service
from taskhub_core.tasks.formats.draft import EXTERNAL_ID_CHARS, NOTES_CHARS, TAGS_PER_TASK, TITLE_CHARS, TaskDraft
from taskhub_core.tasks.listing import Sort, TaskFilter, list_tasks
from taskhub_core.tasks.service import NewTask, TaskPatch
from taskhub_core.tasks.status import TaskStatus
from taskhub_core.tasks.task import Task

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

MOST_AT_ONCE = 500

Title = Annotated[str, Field(min_length=1, max_length=TITLE_CHARS, examples=["Rotate the signing keys"])]
Notes = Annotated[str, Field(max_length=NOTES_CHARS, examples=["The runbook has the steps."])]
Level = Annotated[int, Field(ge=0, le=4)]
Priority = Annotated[Level, Field(strict=True, description="0 none, 1 low, 2 medium, 3 high, 4 urgent.")]
Tags = Annotated[tuple[str, ...], Field(max_length=TAGS_PER_TASK, examples=[["security", "q4"]])]
Remind = Annotated[bool, Field(strict=True, description="Send an e-mail at `due_at`.")]


class TaskIn(BaseModel):
    """A task to create."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    notes: Notes = ""
    status: TaskStatus = TaskStatus.OPEN
    priority: Priority = 0
    due_at: Timestamp | None = None
    remind: Remind = False
    tags: Tags = ()
    external_id: Annotated[str | None, Field(max_length=EXTERNAL_ID_CHARS, description="Its id somewhere else.")] = None

    def new_task(self) -> NewTask:
        """As the service takes it. Raises InvalidInput."""
        draft = TaskDraft(
            title=self.title,
            notes=self.notes,
            status=self.status,
            priority=self.priority,
            due_at=self.due_at,
            tags=self.tags,
            external_id=self.external_id,
        )
        return NewTask(draft, remind=self.remind)


class TaskBatchIn(BaseModel):
    """Tasks to create together: all of them or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"tasks": [{"title": "Rotate the signing keys"}, {"title": "Tell everybody"}]}]
        },
    )

    tasks: Annotated[list[TaskIn], Field(min_length=1, max_length=MOST_AT_ONCE)]


class TaskPatchIn(BaseModel):
    """What to change; a field that is left out stays as it is (RFC 7396, JSON Merge Patch)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"status": "done"}, {"due_at": None, "priority": 4}]}
    )

    title: Title | None = None
    notes: Notes | None = None
    status: TaskStatus | None = None
    priority: Priority | None = None
    due_at: Timestamp | None = None
    remind: Remind | None = None
    tags: Tags | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        for name in self.model_fields_set - {"due_at"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null; leave it out to keep it")
        return self

    def patch(self) -> TaskPatch:
        """As the service takes it, normalised as at creation. Raises InvalidInput."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        draft = TaskDraft(
            title=values.get("title", "-"), **{k: v for k, v in values.items() if k not in {"title", "remind"}}
        )
        normal = {name: getattr(draft, name) for name in values if name != "remind"}
        return TaskPatch({**normal, **({"remind": values["remind"]} if "remind" in values else {})})


class TaskOut(BaseModel):
    """A task."""

    id: uuid.UUID
    title: str
    notes: str
    status: TaskStatus
    priority: int
    due_at: datetime | None
    remind: bool
    tags: list[str]
    external_id: str | None
    version: int = Field(description="Rises with every change; also the ETag.")
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class TaskListOut(BaseModel):
    """A page of tasks."""

    items: list[TaskOut]
    next_cursor: str | None


class TaskBatchOut(BaseModel):
    """The tasks created, in order."""

    items: list[TaskOut]


def _single(status: int, task: Task, **headers: str) -> Answer:
    return Answer(status, task.as_document(), {"ETag": etag(task.version), **headers})


@router.post(
    "", status_code=201, response_model=TaskOut, responses=problems(401, 409, 413, 415), summary="Create a task"
)
async def create_task(body: TaskIn, caller: CurrentCaller, write: Write) -> Response:
    """Creates a task. A reminder, if wanted, is scheduled with it."""
    creation = service.prepare(caller.account_id, body.new_task())
    return await write.commit_known(
        _single(201, creation.task, Location=f"/v1/tasks/{creation.task.id}"),
        lambda connection, kept: service.create_one(connection, creation, kept),
        account_id=caller.account_id,
    )


@router.post(
    "/batch",
    status_code=201,
    response_model=TaskBatchOut,
    responses=problems(401, 409, 413, 415),
    summary="Create up to 500 tasks",
)
async def create_tasks(body: TaskBatchIn, caller: CurrentCaller, write: Write) -> Response:
    """Creates all of the tasks or, if one is invalid, none."""
    new = [task.new_task() for task in body.tasks]

    def work(connection: Connection) -> Answer:
        created = service.create(connection, caller.account_id, new)
        return Answer(201, {"items": [task.as_document() for task in created]})

    return await write.commit(work, account_id=caller.account_id)


@router.get("", response_model=TaskListOut, responses=problems(401), summary="List tasks")
async def list_(
    caller: CurrentCaller,
    database: Db,
    status: Annotated[list[TaskStatus], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    tag: Annotated[list[str], Query(max_length=TAGS_PER_TASK, description="Tasks that have every one.")] = [],  # noqa: B006
    priority: Annotated[list[Level], Query(max_length=5, description="One or several, 0 to 4.")] = [],  # noqa: B006
    due_from: Annotated[Timestamp | None, Query(description="Due at or after this time.")] = None,
    due_before: Annotated[Timestamp | None, Query(description="Due before this time.")] = None,
    sort: Sort = Sort.NEWEST,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """A page of the account's tasks. Pages stay consistent while tasks come and go."""
    filter_ = TaskFilter(tuple(status), tuple(tag), tuple(priority), due_from, due_before)

    def work(connection: Connection) -> dict[str, Any]:
        page = list_tasks(connection, caller.account_id, filter_=filter_, sort=sort, limit=limit, cursor=cursor)
        return {"items": [task.as_document() for task in page.tasks], "next_cursor": page.next_cursor}

    return Response(to_json(await database.read(work)), media_type="application/json")


_STALE = {
    "description": "The task.",
    "headers": {
        "TaskHub-Stale": {
            "description": "`true` when PostgreSQL is away and the search index answered: the task may have changed.",
            "schema": {"type": "string"},
        }
    },
}


@router.get(
    "/{task_id:uuid}", response_model=TaskOut, responses={200: _STALE, **problems(401, 404)}, summary="Get a task"
)
async def get_task(task_id: uuid.UUID, caller: CurrentCaller, request: Request) -> Response:
    """The task, with its version as ETag. While PostgreSQL is away the search index answers (`TaskHub-Stale: true`)."""
    database: Database = request.app.state.database
    try:
        task = await database.read(lambda connection: service.get(connection, caller.account_id, task_id))
    except Unavailable:
        search: SearchService = request.app.state.search
        indexed = await search.get_task(caller.account_id, task_id)
        if indexed is None:
            raise
        return _single(200, indexed, **{"TaskHub-Stale": "true"}).response()
    return _single(200, task).response()


@router.patch(
    "/{task_id:uuid}",
    response_model=TaskOut,
    responses=problems(401, 404, 412, 413, 415, 428),
    summary="Change a task",
)
async def change_task(
    task_id: uuid.UUID, body: TaskPatchIn, caller: CurrentCaller, expected: ExpectedVersion, write: Write
) -> Response:
    """Changes the fields that the body names, if the task is still at the version that If-Match names."""
    patch = body.patch()

    def work(connection: Connection) -> Answer:
        return _single(200, service.update(connection, caller.account_id, task_id, patch, expected_version=expected))

    return await write.commit(work, account_id=caller.account_id)


@router.delete("/{task_id:uuid}", status_code=204, responses=problems(401, 404, 412, 428), summary="Delete a task")
async def delete_task(task_id: uuid.UUID, caller: CurrentCaller, expected: ExpectedVersion, write: Write) -> Response:
    """Deletes the task, if it is still at the version that If-Match names."""

    def work(connection: Connection) -> Answer:
        service.delete(connection, caller.account_id, task_id, expected_version=expected)
        return Answer(204)

    return await write.commit(work, account_id=caller.account_id)


SHORTCUTS: tuple[Shortcut, ...] = (Creates(TaskIn, create_task), Reads(get_task))
