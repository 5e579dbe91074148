"""From a committed change to the index and the feed."""

from elasticsearch import Elasticsearch

from taskhub_core.events.queue import EventQueue
from taskhub_sqs_consumer.settings import ConsumerSettings

from .conftest import RunConsumer, World, documents, wait_drained


def test_changes_reach_the_index_and_the_feed(
    world: World, queue: EventQueue, index: Elasticsearch, settings: ConsumerSettings, run_consumer: RunConsumer
) -> None:
    milk, bread, plants = world.create("Buy milk", "Buy bread", "Water the plants")
    world.change(milk, "Buy oat milk")
    world.delete(bread)
    world.publish()
    with run_consumer():
        wait_drained(queue)
    found = documents(index, settings.search_alias)
    assert found[str(milk.id)]["title"] == "Buy oat milk"
    assert found[str(milk.id)]["version"] == 2
    assert found[str(bread.id)]["deleted"] is True
    assert "title" not in found[str(bread.id)]
    assert found[str(plants.id)]["account_id"] == str(world.account_id)
    assert [row.type for row in world.feed()] == [*["task.created"] * 3, "task.updated", "task.deleted"]
