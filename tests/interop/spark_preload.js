// Loaded before spark-server (node -r): listen on loopback only, end with the tests, and give
// nedb-core 3.0.6, which replaces a version that is not in the registry, the callback form of
// mkdirp that it calls.
const fs = require('fs');
const Module = require('module');
const net = require('net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  const callbacks = args.filter((arg) => typeof arg === 'function');
  const port = typeof args[0] === 'object' ? args[0].port : args[0];
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, ...callbacks);
};

const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(), 1000).unref();

const load = Module._load;
Module._load = function (request, parent, ...rest) {
  if (request === 'mkdirp' && parent && /nedb-core/.test(parent.filename || '')) {
    return (folder, done) => fs.mkdir(folder, { recursive: true }, (error) => done(error));
  }
  return load.call(this, request, parent, ...rest);
};
