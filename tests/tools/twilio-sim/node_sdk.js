// Twilio's official Node SDK against the simulator: prints what it saw as one JSON object.
// Usage: node node_sdk.js BASE ACCOUNT TOKEN FROM TO
"use strict";
const twilio = require("twilio");

const [base, account, token, from, to] = process.argv.slice(2);
const twiml = "<Response><Say>Hello.</Say></Response>";

function clientWith(password) {
  const client = twilio(account, password);
  client.api.baseUrl = base;
  return client;
}

async function refusal(promise) {
  try {
    await promise;
    return null;
  } catch (fault) {
    return {name: fault.constructor.name, status: fault.status, code: fault.code};
  }
}

async function until(fetch, status) {
  for (let i = 0; i < 2000; ++i) {
    const resource = await fetch();
    if (resource.status === status) return resource;
  }
  throw new Error(`never became ${status}`);
}

async function main() {
  const client = clientWith(token);
  const sids = [];
  for (let i = 0; i < 5; ++i) {
    sids.push((await client.messages.create({to, from, body: `text ${i}`})).sid);
  }
  const delivered = await until(() => client.messages(sids[0]).fetch(), "delivered");
  const call = await client.calls.create({to, from, twiml});
  const completed = await until(() => client.calls(call.sid).fetch(), "completed");
  const seen = {
    sids,
    listed: (await client.messages.list({to, pageSize: 2})).map(message => message.sid),
    dateSentIsDate: delivered.dateSent instanceof Date,
    callDuration: completed.duration,
    calls: (await client.calls.list({to, pageSize: 1})).map(listed => listed.sid),
    callSid: call.sid,
    noBody: await refusal(client.messages.create({to, from})),
    optedOut: await refusal(client.messages.create({to: "+15005550004", from, body: "x"})),
    unreachable: await refusal(client.calls.create({to: "+15005550002", from, twiml})),
    wrongToken: await refusal(clientWith("wrong").messages.create({to, from, body: "x"})),
    unknownSid: await refusal(client.messages("SM" + "0".repeat(32)).fetch()),
  };
  console.log(JSON.stringify(seen));
}

// Webhooks: one JSON object a line on stdin, {token, signature, url, fields}; answers a line each.
function validate() {
  const lines = require("readline").createInterface({input: process.stdin});
  lines.on("line", line => {
    const {token: key, signature, url, fields} = JSON.parse(line);
    console.log(twilio.validateRequest(key, signature, url, fields));
  });
}

if (base === "validate") validate();
else main().catch(fault => { console.error(fault); process.exit(1); });
