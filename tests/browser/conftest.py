"""One running page and one Chromium for all browser tests; a new visitor for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.browser import driver  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright.Browser]:
    if driver.CHROMIUM is None:
        pytest.skip("Chromium is needed for the browser tests")
    with driver.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the running page would keep a visitor's files."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def app_url(cache: Path) -> Iterator[str]:
    with driver.running_app(cache=cache) as url:
        yield url


@pytest.fixture
def visit(browser: playwright.Browser, app_url: str) -> Iterator[Callable[..., playwright.Page]]:
    """Opens the page for a new visitor; at the end no script on it may have failed."""
    pages = []

    def visit(path: str = "", **context) -> playwright.Page:
        context.setdefault("viewport", {"width": 1280, "height": 800})
        page = driver.open_page(browser, app_url + path, **context)
        page.failures = []
        page.on("pageerror", lambda error: page.failures.append(str(error)))
        pages.append(page)
        return page

    yield visit
    failures = [failure for page in pages for failure in page.failures]
    for page in pages:
        page.context.close()
    assert not failures


@pytest.fixture
def page(visit: Callable[..., playwright.Page]) -> playwright.Page:
    """A visitor at a desk."""
    return visit()


@pytest.fixture
def phone(visit: Callable[..., playwright.Page]) -> playwright.Page:
    """A visitor with a phone."""
    return visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
