// BullMQ on the run's own Redis: how many delayed jobs it takes a second, and how fast its worker
// gets through many that fall due at once. Prints one JSON object.
//
//   node bullmq.mjs FOLDER add REDIS_URL CONNECTIONS SECONDS COUNT
//   node bullmq.mjs FOLDER storm REDIS_URL CONCURRENCY JOBS
//
// FOLDER is where npm has put `bullmq` and `ioredis`.

import { createRequire } from "node:module";
import path from "node:path";

const [folder, mode, url, ...numbers] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(folder), "package.json"));
const { Queue, Worker } = require("bullmq");
const { Redis } = require("ioredis");

// A worker's connection must wait for ever, as BullMQ's documentation says.
const connect = () => new Redis(url, { maxRetriesPerRequest: null });
const name = `bench-${process.pid}`;
// As much text as a callback's request has.
const payload = { text: "x".repeat(580) };
const settings = { removeOnComplete: true };

async function add(connections, seconds, most) {
  const connection = connect();
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  let added = 0;
  const began = performance.now();
  const ends = began + seconds * 1000;
  let left = most;
  const one = async () => {
    while (performance.now() < ends && left-- > 0) {
      await queue.add("callback", payload, { delay: 86_400_000, ...settings });
      added += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  const took = (performance.now() - began) / 1000;
  await queue.obliterate({ force: true });
  await queue.close();
  connection.disconnect();
  return { per_second: added / took };
}

async function storm(concurrency, jobs) {
  const connection = connect();
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  // All fall due at the same moment, far enough ahead that all are in by then.
  const due = Date.now() + 2000 + jobs / 2;
  for (let first = 0; first < jobs; first += 1000) {
    const many = Array.from({ length: Math.min(1000, jobs - first) }, () => ({
      name: "callback", data: payload, opts: { delay: Math.max(0, due - Date.now()), ...settings },
    }));
    await queue.addBulk(many);
  }
  if (Date.now() >= due) throw new Error("not all jobs were in before they were due");
  let done = 0;
  let finished;
  const all = new Promise((resolve) => { finished = resolve; });
  const other = connect();
  const worker = new Worker(name, async () => {
    done += 1;
    if (done === jobs) finished();
  }, { connection: other, concurrency });
  await all;
  const took = (Date.now() - due) / 1000;
  await worker.close(true);
  await queue.obliterate({ force: true });
  await queue.close();
  connection.disconnect();
  other.disconnect();
  return { per_second: jobs / took };
}

const run = { add, storm }[mode];
console.log(JSON.stringify(await run(...numbers.map(Number))));
process.exit(0);
