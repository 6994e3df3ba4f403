// Sends what it is told when it is due, and counts latency from then, as our own senders do.
// The schedule is JSON: `due_s` of each request, and the files of their bodies.
import http from "k6/http";
import { sleep } from "k6";
import { Counter, Trend } from "k6/metrics";
import exec from "k6/execution";

const schedule = JSON.parse(open(__ENV.SCHEDULE));
const bodies = schedule.bodies.map((path) => open(path, "b"));
const latency = new Trend("due_latency", true);
const wrong = new Counter("wrong_answers");
const VUS = 20;

export const options = {
  scenarios: {
    all: {
      executor: "per-vu-iterations",
      vus: VUS,
      iterations: 1,
      maxDuration: `${Math.ceil(schedule.duration_s) + 30}s`,
    },
  },
  summaryTrendStats: ["med", "p(99)", "count"],
};

export function setup() {
  return { begin_ms: Date.now() + 1500 };
}

// Each VU has every twentieth request and is free again before its next one is due; each opens a
// connection of its own, so there are no more of them than that takes.
export default function (data) {
  for (let n = exec.vu.idInTest - 1; n < schedule.due_s.length; n += VUS) {
    const due_ms = data.begin_ms + 1000 * schedule.due_s[n];
    sleep(Math.max(0, due_ms - Date.now()) / 1000);
    const answer = http.post(`${schedule.url}/v1/classify`, bodies[n % bodies.length], {
      headers: { "Content-Type": schedule.content_type },
    });
    if (answer.status === 200) {
      latency.add(Date.now() - due_ms);
    } else {
      wrong.add(1);
    }
  }
}

export function handleSummary(data) {
  return { [__ENV.SUMMARY]: JSON.stringify(data.metrics) };
}
