"""The web page of the simulator in a browser: phones with messages and calls, replies, keys (Q2).

Collected only with TOCSIN_BROWSER_DRIVER: see conftest.py.
"""

import json

import pytest

from browser import Browser
from sim import FROM, TO, wait_until

SIMULATOR_FLAGS = ("--call-second", "100")
PHONE = f"//section[h2='{TO}']"
KEYS = ('<Response><Gather action="/gather" numDigits="1" timeout="600"><Say>Press a key.</Say></Gather></Response>')
pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture
def page(browser, simulator):
    browser.open(simulator.base + "/sim/")
    return browser


def test_a_phone_shows_its_messages_and_replies(simulator, receiver, page):
    simulator.control("/sim/numbers", {"numbers": [FROM], "sms_url": receiver.url("/inbound")})
    simulator.client().messages.create(to=TO, from_=FROM, body="Pump 3 has stopped.")
    page.find(f"{PHONE}//li[contains(., 'Pump 3 has stopped.') and contains(., 'delivered')]")
    page.type(f"{PHONE}//input", "ACK 4711")
    page.click(f"{PHONE}//button[.='Send']")
    path, _, fields = receiver.next()
    assert (path, fields["From"], fields["To"], fields["Body"]) == ("/inbound", TO, FROM, "ACK 4711")
    page.find(f"{PHONE}//li[@class='inbound' and contains(., 'ACK 4711')]")


def test_a_call_is_answered_and_acknowledged_with_the_buttons_of_the_page(simulator, receiver, page):
    receiver.documents["/twiml"] = KEYS
    receiver.documents["/gather"] = '<Response><Say>Thank you.</Say><Pause length="600"/></Response>'
    simulator.control("/sim/phones", {TO: {"answer": "by-hand"}})
    simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml"), timeout=600)
    page.click(f"{PHONE}//button[.='Answer']")
    page.find(f"{PHONE}//li[contains(., 'Press a key.') and contains(., 'in-progress')]")
    page.click(f"{PHONE}//button[.='1']")
    assert [receiver.next()[0] for _ in range(2)] == ["/twiml", "/gather"]
    page.find(f"{PHONE}//li[contains(., 'digits: 1') and contains(., 'Thank you.')]")
    page.click(f"{PHONE}//button[.='Hang up']")
    page.find(f"{PHONE}//li[contains(., 'completed')]")


def test_entries_have_times_and_the_newest_is_first(simulator, page):
    for body in ("first", "second"):
        simulator.client().messages.create(to=TO, from_=FROM, body=body)
    page.find(f"{PHONE}//li[1][contains(., 'second') and .//time]/following-sibling::li[contains(., 'first')]")


def test_the_switch_slows_calls_down(simulator, page):
    page.click("//input[@id='slow']")
    wait_until(lambda: json.loads(simulator.control("/sim/health"))["call_second_ms"] == 1000)
    page.click("//input[@id='slow']")
    wait_until(lambda: json.loads(simulator.control("/sim/health"))["call_second_ms"] == 100)


def test_content_is_shown_as_text(simulator, page):
    simulator.client().messages.create(to=TO, from_=FROM, body="<b id='evil'>x</b>")
    page.find(f"{PHONE}//li[contains(., \"<b id='evil'>\")]")
