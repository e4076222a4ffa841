"""A phone: headless Chromium in the network of an access point, and a thumb that is counted.

Whatever name or address it asks for, it finds the board, as with the name server of the access
point; nothing leaves the host. Debian: chromium and chromium-driver.
"""

import contextlib
import shutil
import time

from interop import node
from particle_tools import ROOT

NAME = "Chromium"
AXE = node.Packages("axe-core")
COMMAND = "apt-get install chromium chromium-driver"
LIMIT_S = 60

# what each system asks for when it has joined a network, to find out whether it is captive
PROBES = {
    "Android": "http://connectivitycheck.gstatic.com/generate_204",
    "Apple": "http://captive.apple.com/hotspot-detect.html",
    "Windows": "http://www.msftconnecttest.com/connecttest.txt",
    "Firefox": "http://detectportal.firefox.com/canonical.html",
}
SIZES = {"phone": (360, 640, True), "desktop": (1280, 800, False)}
_PICTURES = ROOT / "build" / "portal"
_QUIET = """
    --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
    --no-default-browser-check --disable-background-networking --disable-component-update
    --disable-sync --disable-domain-reliability --disable-client-side-phishing-detection
    --disable-extensions --disable-default-apps --no-proxy-server --mute-audio
    --disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,OptimizationHints,Translate
"""


def available():
    """Tell whether browser and driver are there."""
    return bool(_browser() and shutil.which("chromedriver"))


def _browser():
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Phone:
    """One browser whose every request goes to `port` of the loopback; profile: an empty folder.

    taps counts what the person did since `join`.
    """

    def __init__(self, profile, port, language="en"):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = _browser()
        for word in _QUIET.split():
            options.add_argument(word)
        options.add_argument(f"--user-data-dir={profile}")
        options.add_argument(f"--lang={language}")
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.add_argument(f"--host-resolver-rules=MAP * 127.0.0.1:{port}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(LIMIT_S)
        self.driver.set_script_timeout(LIMIT_S)
        self.taps = 0
        self.size("phone")

    def close(self):
        """Switch it off."""
        self.driver.quit()

    def leave(self):
        """Leave the network: the page is gone."""
        self.slow(0, 0)
        self.driver.get("about:blank")

    # the phone itself

    def size(self, name):
        """Be as large as that: a name of SIZES."""
        width, height, mobile = SIZES[name]
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self._devtools("Emulation.setDeviceMetricsOverride", **values)

    def slow(self, bytes_per_s, latency_ms):
        """Have a bad link; 0, 0 is a good one."""
        rate = bytes_per_s or -1
        values = {"latency": latency_ms, "downloadThroughput": rate, "uploadThroughput": rate}
        self._devtools("Network.enable")
        self._devtools("Network.emulateNetworkConditions", offline=False, **values)

    @contextlib.contextmanager
    def running_first(self, script):
        """Have a script run before those of each page: a browser that is not what it was."""
        name = "Page.addScriptToEvaluateOnNewDocument"
        number = self._devtools(name, source=script)["identifier"]
        try:
            yield
        finally:
            self._devtools("Page.removeScriptToEvaluateOnNewDocument", identifier=number)

    @contextlib.contextmanager
    def scheme(self, name):
        """Prefer "light" or "dark" for a while."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self._devtools("Emulation.setEmulatedMedia", features=[feature])
        try:
            yield
        finally:
            self._devtools("Emulation.setEmulatedMedia", features=[])

    def join(self, system="Android"):
        """Join the access point and follow the system to the page: two taps."""
        self.taps = 2  # the network in the list of the phone, and "sign in to the network"
        self.driver.get(PROBES[system])
        return self

    def picture(self, name):
        """Keep pictures of what is shown, one of each size."""
        _PICTURES.mkdir(parents=True, exist_ok=True)
        for size in SIZES:
            self.size(size)
            self.driver.save_screenshot(str(_PICTURES / f"{name}-{size}.png"))
        self.size("phone")

    def complaints(self):
        """Return what the browser has to say against the page; what the network did is not."""
        logged = self.driver.get_log("browser")
        return [e for e in logged if e["level"] == "SEVERE" and e["source"] != "network"]

    def _devtools(self, method, **values):
        return self.driver.execute_cdp_cmd(method, values)

    def barriers(self):
        """Return what axe-core has against the page as it is: "rule: element" of each finding."""
        script = AXE.find() / "node_modules" / "axe-core" / "axe.min.js"
        self.driver.execute_script(script.read_text("utf-8"))
        found = self.driver.execute_async_script("axe.run().then(arguments[0]);")
        rules = found["violations"] + found["incomplete"]
        return [f"{rule['id']}: {node['html']}" for rule in rules for node in rule["nodes"]]

    # the person

    def find(self, name):
        """Return the element with that id."""
        return self.driver.find_element("id", name)

    def tap(self, element):
        """Touch an element, or that with an id."""
        (self.find(element) if isinstance(element, str) else element).click()
        self.taps += 1

    def write(self, text, into=None):
        """Type: into the field that has the focus, or replace what is in the one with an id."""
        if into is None:
            self.driver.switch_to.active_element.send_keys(text)
        else:
            self.find(into).clear()
            self.find(into).send_keys(text)

    def focus(self):
        """Return the id of what has the focus."""
        return self.driver.switch_to.active_element.get_attribute("id")

    def networks(self):
        """Return the names in the list, from the top, once it is there."""
        names = "return [].map.call(document.querySelectorAll('#networks .ssid'),"
        names += "function (e) { return e.textContent; });"
        return self.eventually(lambda: self.driver.execute_script(names), "a list")

    def choose(self, ssid):
        """Tap a network of the list."""
        row = self.networks().index(ssid)
        self.tap(self.driver.find_elements("css selector", "#networks button")[row])

    def connect(self, ssid, password):
        """Tap a network of the list, type its password and send the form."""
        self.choose(ssid)
        self.write(password)
        self.tap("connect")

    def says(self, expression):
        """Return the value of an expression in the page."""
        return self.driver.execute_script(f"return {expression};")

    def sees(self, text, where="body"):
        """Wait until a text is shown."""
        self.eventually(lambda: text in self.shown(where), repr(text))

    def shown(self, where="body"):
        """Return the text that is shown in an element."""
        return self.driver.find_element("css selector", where).text

    def eventually(self, condition, what):
        """Return the first true result of `condition()`; AssertionError if there is none."""
        from selenium.common.exceptions import StaleElementReferenceException

        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            try:
                found = condition()
            except StaleElementReferenceException:
                found = None
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {what} in: {self.shown()}")
