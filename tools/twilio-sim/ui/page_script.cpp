#include "tools/twilio-sim/ui/page_script.h"

namespace tocsin::sim {

const std::string_view kPageScript = R"JS("use strict";
const kMaxShown = 300;         // newest messages and newest calls
const kRefreshInterval = 1000; // ms
const kSlowCallSecond = 1000;  // ms
const phones = new Map();

function element(tag, text, className) {
  const created = document.createElement(tag);
  if (text !== undefined) created.textContent = text;
  if (className) created.className = className;
  return created;
}

function showStatus(text) { document.getElementById("status").textContent = text; }

async function post(path, body) {
  const response = await fetch(path, {method: "POST", body: JSON.stringify(body)});
  const result = await response.json();
  await refresh();
  if (!response.ok) showStatus(result.error);
}

async function newest(records, count) {
  const after = Math.max(0, count - kMaxShown);
  const response = await fetch(`${records}?after=${after}&limit=${kMaxShown}`);
  const text = await response.text();
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

function callButtons(call) {
  const buttons = element("div", undefined, "keys");
  const add = (label, action) => {
    const button = element("button", label);
    button.addEventListener("click", action);
    buttons.append(button);
  };
  if (call.status === "ringing") add("Answer", () => post("answer", {call: call.sid}));
  if (call.status === "in-progress") {
    for (const key of "123456789*0#") {
      add(key, () => post("press", {call: call.sid, digits: key}));
    }
  }
  add("Hang up", () => post("hang-up", {call: call.sid}));
  return buttons;
}

function phoneOf(number) {
  if (!phones.has(number)) {
    const phone = {section: element("section"), list: element("ol"), live: element("div")};
    phone.section.append(element("h2", number), phone.live, replyForm(number, phone), phone.list);
    document.getElementById("phones").append(phone.section);
    phones.set(number, phone);
  }
  return phones.get(number);
}

function entryItem(created_us, text, details, className) {
  const created = new Date(created_us / 1000);
  const time = element("time", created.toLocaleTimeString());
  time.dateTime = created.toISOString();
  const item = element("li", text, className);
  const line = element("small");
  line.append(time, ["", ...details.filter(detail => detail)].join(" \u00b7 "));
  item.append(line);
  return item;
}

function messageItem(message) {
  return entryItem(message.created_us, message.body,
                   [message.status, message.error_code, message.twilio_answer],
                   message.direction === "inbound" ? "inbound" : "");
}

function callItem(call) {
  const heard = call.heard.filter(item => item.text).map(item => `${item.kind}: ${item.text}`);
  return entryItem(call.created_us, [`call from ${call.from}`, ...heard].join("\n"),
                   [call.status, call.answered_by, call.sip, ...call.notes], "call");
}

function entriesOf(messages, calls) {
  const ofMessage = m => {
    const inbound = m.direction === "inbound";
    return {created_us: m.created_us, number: inbound ? m.from : m.to,
            sender: inbound ? m.to : m.from, item: messageItem(m)};
  };
  const ofCall = c => ({created_us: c.created_us, number: c.to, sender: c.from, item: callItem(c),
                        call: c});
  return [...messages.map(ofMessage), ...calls.map(ofCall)]
      .sort((a, b) => a.created_us - b.created_us);
}

function show(messages, calls) {
  for (const phone of phones.values()) phone.items = [];
  const live = new Map();
  for (const entry of entriesOf(messages, calls)) {
    const phone = phoneOf(entry.number);
    (phone.items ??= []).unshift(entry.item);  // newest first
    if (entry.sender) phone.sender = entry.sender;
    const status = entry.call?.status;
    if (status === "ringing" || status === "in-progress") live.set(entry.number, entry.call);
  }
  for (const [number, phone] of phones) {
    phone.list.replaceChildren(...phone.items);
    const call = live.get(number);
    const shown = call ? `${call.sid} ${call.status}` : "";
    if (phone.shown === shown) continue;  // do not replace buttons while they are used
    phone.shown = shown;
    phone.live.replaceChildren(...(call ? [callButtons(call)] : []));
  }
}

const slow = document.getElementById("slow");
let defaultCallSecond = 0;

slow.addEventListener("change", () => {
  post("timing", {call_second_ms: slow.checked ? kSlowCallSecond : defaultCallSecond});
});

function showTiming(health) {
  defaultCallSecond = health.default_call_second_ms;
  slow.checked = health.call_second_ms >= kSlowCallSecond;
  slow.disabled = defaultCallSecond >= kSlowCallSecond;
}

async function refresh() {
  const health = await (await fetch("health")).json();
  show(await newest("messages", health.messages), await newest("calls", health.calls));
  showTiming(health);
  showStatus(`${health.messages} messages, ${health.calls} calls`);
}

async function refreshRepeatedly() {
  try {
    await refresh();
  } catch (error) {
    showStatus(`the simulator does not respond: ${error.message}`);
  }
  setTimeout(refreshRepeatedly, kRefreshInterval);
}

refreshRepeatedly();
)JS";

}  // namespace tocsin::sim
