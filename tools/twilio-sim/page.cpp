#include "tools/twilio-sim/page.h"

#include <string>

namespace tocsin::sim {
namespace {

constexpr std::string_view kHtml = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Telephones</title>
<link rel="stylesheet" href="page.css">
</head>
<body>
<h1>Telephones</h1>
<p id="state" role="status">loading</p>
<main id="phones"></main>
<script src="page.js"></script>
</body>
</html>
)";

constexpr std::string_view kStyle = R"(body { font: 15px/1.4 sans-serif; margin: 1em 2em; }
main { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }
section { border: 1px solid #999; border-radius: 8px; padding: 0.5em 1em; width: 22em; }
h2 { font-size: 1em; margin: 0.2em 0; }
ol { list-style: none; margin: 0; padding: 0; max-height: 24em; overflow-y: auto; }
li { margin: 0.3em 0; padding: 0.3em 0.6em; border-radius: 6px; background: #eee;
     white-space: pre-wrap; overflow-wrap: anywhere; }
li.inbound { background: #d6ecff; margin-left: 3em; }
li.call { background: #e4f5dc; }
small { color: #555; display: block; }
form, .keys { margin: 0.5em 0; display: flex; flex-wrap: wrap; gap: 0.3em; }
input { flex: 1; min-width: 8em; }
)";

constexpr std::string_view kScript = R"JS("use strict";
const kShown = 300;      // of the newest messages and calls
const kPeriod = 1000;    // ms between looks
const phones = new Map();

function element(kind, text, name) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

async function post(path, body) {
  const answer = await fetch(path, {method: "POST", body: JSON.stringify(body)});
  const told = await answer.json();
  if (!answer.ok) say(told.error);
  await refresh();
}

function say(text) { document.getElementById("state").textContent = text; }

async function newest(book, count) {
  const after = Math.max(0, count - kShown);
  const answer = await fetch(`${book}?after=${after}&limit=${kShown}`);
  const text = await answer.text();
  return text.split("\n").filter(line => line).map(line => JSON.parse(line));
}

function replyForm(number, phone) {
  const form = element("form");
  const input = element("input");
  input.placeholder = "reply";
  input.setAttribute("aria-label", `reply from ${number}`);
  form.append(input, element("button", "Send"));
  form.addEventListener("submit", event => {
    event.preventDefault();
    const body = input.value;
    input.value = "";
    post("inbound", {from: number, to: phone.sender, body});
  });
  return form;
}

function keysOf(call) {
  const keys = element("div", undefined, "keys");
  const button = (label, act) => {
    const made = element("button", label);
    made.addEventListener("click", act);
    keys.append(made);
  };
  if (call.status === "ringing") button("Answer", () => post("answer", {call: call.sid}));
  if (call.status === "in-progress") {
    for (const key of "123456789*0#") {
      button(key, () => post("press", {call: call.sid, digits: key}));
    }
  }
  button("Hang up", () => post("hang-up", {call: call.sid}));
  return keys;
}

function phoneOf(number) {
  if (!phones.has(number)) {
    const phone = {section: element("section"), list: element("ol"), live: element("div")};
    phone.section.append(element("h2", number), phone.list, phone.live, replyForm(number, phone));
    document.getElementById("phones").append(phone.section);
    phones.set(number, phone);
  }
  return phones.get(number);
}

function messageItem(message) {
  const item = element("li", message.body, message.direction === "inbound" ? "inbound" : "");
  const note = [message.status, message.error_code, message.twilio_answer].filter(x => x);
  item.append(element("small", note.join(" \u00b7 ")));
  return item;
}

function callItem(call) {
  const said = call.heard.filter(moment => moment.text)
                   .map(moment => `${moment.kind}: ${moment.text}`);
  const item = element("li", [`call from ${call.from}`, ...said].join("\n"), "call");
  const note = [call.status, call.answered_by, call.sip, ...call.notes].filter(x => x);
  item.append(element("small", note.join(" \u00b7 ")));
  return item;
}

function show(messages, calls) {
  const events = [
    ...messages.map(m => ({at: m.created_us, number: m.direction === "inbound" ? m.from : m.to,
                           sender: m.direction === "inbound" ? m.to : m.from,
                           item: messageItem(m)})),
    ...calls.map(c => ({at: c.created_us, number: c.to, sender: c.from, item: callItem(c), call: c})),
  ].sort((a, b) => a.at - b.at);
  for (const phone of phones.values()) phone.items = [];
  const live = new Map();
  for (const event of events) {
    const phone = phoneOf(event.number);
    (phone.items ??= []).push(event.item);
    if (event.sender) phone.sender = event.sender;
    const status = event.call?.status;
    if (status === "ringing" || status === "in-progress") live.set(event.number, event.call);
  }
  for (const [number, phone] of phones) {
    phone.list.replaceChildren(...phone.items);
    const call = live.get(number);
    const shown = call ? `${call.sid} ${call.status}` : "";
    if (phone.shown === shown) continue;  // the buttons stay while somebody presses them
    phone.shown = shown;
    phone.live.replaceChildren(...(call ? [keysOf(call)] : []));
  }
}

async function refresh() {
  const health = await (await fetch("health")).json();
  show(await newest("messages", health.messages), await newest("calls", health.calls));
  say(`${health.messages} messages, ${health.calls} calls`);
}

async function look() {
  try {
    await refresh();
  } catch (fault) {
    say(`the simulator does not answer: ${fault.message}`);
  }
  setTimeout(look, kPeriod);
}

look();
)JS";

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

std::optional<Reply> PageReply(std::string_view path) {
  const bool html = path == "/sim/";
  const bool script = path == "/sim/page.js";
  if (!html && !script && path != "/sim/page.css") return std::nullopt;
  return Reply{.response = {.status = 200,
                            .content_type = html     ? "text/html; charset=utf-8"
                                            : script ? "text/javascript; charset=utf-8"
                                                     : "text/css; charset=utf-8",
                            .body = std::string(html     ? kHtml
                                                : script ? kScript
                                                         : kStyle),
                            .headers = {{"Content-Security-Policy", std::string(kPolicy)},
                                        {"X-Content-Type-Options", "nosniff"},
                                        {"Cache-Control", "no-store"}}}};
}

}  // namespace tocsin::sim
