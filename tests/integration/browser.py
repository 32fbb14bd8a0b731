"""A real browser at the live page that Salt's API serves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
from axe_selenium_python import Axe
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.integration.salt_api import PASSWORD, PATIENCE

#: What a Chromium does beside, on a machine that is busy enough.
QUIET = (
    "component-update",
    "background-networking",
    "default-apps",
    "extensions",
    "sync",
    "gpu",
    "dev-shm-usage",
)


class Browser:
    """A headless Chromium with the page of one API. A context manager.

    settings: of `configuration`. Pictures go to the folder of the environment's ROLLOUT_PICTURES, if any.
    """

    def __init__(self, settings: dict):
        self.address = f"https://localhost:{settings['rollout_api']['port']}/rollout"
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        given = ("headless=new", "no-sandbox", "ignore-certificate-errors", "window-size=1280,1000")
        for one in (*given, *(f"disable-{one}" for one in QUIET)):
            options.add_argument(f"--{one}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._service = webdriver.ChromeService("/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options, self._service)
        self.driver.set_script_timeout(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def open(self, *login):
        """Load the page, and log in as somebody."""
        self.driver.get(self.address)
        if login:
            self.login(*login)
        return self

    def login(self, name, password=PASSWORD):
        """Fill in the form, and send it."""
        self.until(lambda: self.is_shown("login"), "there is no form")
        for field, value in (("login-user", name), ("login-password", password)):
            self.id(field).clear()
            self.id(field).send_keys(value)
        self.driver.find_element(By.CSS_SELECTOR, "#login button").click()

    def id(self, name):
        """The element of an id."""
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        """What is shown of an element."""
        return self.id(name).text

    def is_shown(self, name):
        """Whether an element is shown."""
        return self.id(name).is_displayed()

    def verbs(self):
        """What the buttons that are shown would do."""
        script = "return [...document.querySelectorAll('[data-verb]')].map((one) => one.dataset.verb)"
        return set(self.driver.execute_script(script))

    def press(self, verb, sure=None):
        """Press a button, and answer whether one is sure."""
        self.until(lambda: verb in self.verbs(), f"there is no button for {verb}")
        self.driver.find_element(By.CSS_SELECTOR, f"[data-verb={verb}]").click()
        if sure is not None:
            self.id("sure-yes" if sure else "sure-no").click()

    def leave(self):
        """Log out."""
        self.until(lambda: self.is_shown("logout"), "nobody is logged in")
        self.id("logout").click()

    def focus(self):
        """The element that the keyboard is at."""
        return self.driver.switch_to.active_element

    def rows(self, name):
        """The texts of the cells of a table's body, row by row."""
        script = """return [...document.getElementById(arguments[0]).rows].map(
            (row) => [...row.cells].map((cell) => cell.textContent.trim()))"""
        return self.driver.execute_script(script, name)

    def news(self):
        """The lines of the news, the latest first, without their times."""
        script = (
            "return [...document.querySelectorAll('#news-rows li')].map((one) => one.lastChild.textContent)"
        )
        return self.driver.execute_script(script)

    def until(self, holds, otherwise):
        """Wait until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, (
                f"{otherwise}: {self.driver.find_element(By.TAG_NAME, 'body').text}"
            )
            time.sleep(0.2)

    def cells(self):
        """Node → what is shown of it, by the heads of the columns in small letters; without signs."""
        heads = [one.get_attribute("textContent").lower() for one in self.all("#node-heads th")]
        rows = (
            {head: cell.lstrip("✔✖▶–!… ") for head, cell in zip(heads, row, strict=True)}
            for row in self.rows("node-rows")
        )
        return {row["node"]: row for row in rows}

    def all(self, selector):
        """The elements of a selector of CSS."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def barriers(self):
        """What axe finds in the way of people, light and dark: a text, empty where all is well.

        The page is loaded anew for it, without its policy, which would not let axe make markup.
        """
        told = ""
        self.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        self.driver.refresh()
        self.until(lambda: self.is_shown("page"), "the login is not kept")
        axe = Axe(self.driver)
        axe.inject()
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            found = axe.run()["violations"]
            told += axe.report(found) if found else ""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
        return told

    def memory(self):
        """Bytes that the process of the page has for itself alone."""
        processes = psutil.Process(self._service.process.pid).children(recursive=True)
        renderers = [one for one in processes if "--type=renderer" in one.cmdline()]
        return max(one.memory_full_info().uss for one in renderers)

    def complaints(self):
        """What the browser itself complains of: scripts that failed, what the page's policy forbade."""
        return [
            one["message"] for one in self.driver.get_log("browser") if "status of 401" not in one["message"]
        ]

    def picture(self, name, width=1280, scheme="light", height=1000):
        """Take a picture, where pictures are wanted."""
        if not (folder := os.environ.get("ROLLOUT_PICTURES")):
            return
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
