// Drives softap-setup: reads {"id", "client", "options", "method", "args"} from standard input, a
// line each, and prints {"id", "error", "value"} for every call of the callback. Options make the
// client when its name is new. What the library throws is printed as {"thrown"}.
// node softap_driver.js      (in the folder that holds node_modules)
const path = require('path');
const readline = require('readline');

const SoftAPSetup = require(path.join(process.cwd(), 'node_modules', 'softap-setup'));
const clients = {};
const say = (line) => console.log(JSON.stringify(line));
const text = (error) => (error ? String(error.message || error) : null);

process.on('uncaughtException', (error) => say({ thrown: text(error) }));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, client, options, method, args } = JSON.parse(line);
  clients[client] = clients[client] || new SoftAPSetup(options);
  clients[client][method](...args, (error, value) => say({ id, error: text(error), value }));
}).on('close', () => process.exit(0));
say({ ready: process.version });
