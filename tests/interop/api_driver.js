// Drives one particle-api-js: reads {"id", "method", "options"} from standard input, a line each,
// and prints {"id", "ok": answer} or {"id", "error": properties of the error}. The method "watch"
// opens an event stream: {"id", "ok": {}} when it is open, then {"id", "seen": what, "event"}.
// node api_driver.js PACKAGE URL      (in the folder that holds node_modules)
const path = require('path');
const readline = require('readline');

const [name, baseUrl] = process.argv.slice(2);
const Particle = require(path.join(process.cwd(), 'node_modules', name));
const client = new Particle({ baseUrl, clientId: 'particle-api', clientSecret: 'particle-api' });
const say = (line) => console.log(JSON.stringify(line));

async function watch(id, options) {
  const stream = await client.getEventStream(options);
  for (const what of ['event', 'error', 'disconnect', 'reconnect', 'reconnect-success', 'reconnect-error']) {
    stream.on(what, (event) => say({ id, seen: what, event: what === 'event' ? event : String(event) }));
  }
  return {};
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method, options } = JSON.parse(line);
  try {
    const ok = await (method === 'watch' ? watch(id, options) : client[method](options));
    say({ id, ok: { body: ok.body, statusCode: ok.statusCode } });
  } catch (error) {
    const { statusCode, errorDescription, shortErrorDescription, body, message } = error;
    say({ id, error: { statusCode, errorDescription, shortErrorDescription, body, message } });
  }
}).on('close', () => process.exit(0));
say({ ready: process.version });
