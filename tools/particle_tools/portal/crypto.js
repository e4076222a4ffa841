// What the device's protocol asks for and plain HTTP pages do not get from the browser
// (crypto.subtle exists behind HTTPS only): RSA for the password, AES for a private key.
// Bytes are arrays of numbers.

// Randomness. Browsers without crypto.getRandomValues (before 2014) get numbers that are mixed
// from Math.random and the moments at which somebody touched the page.
var touched = [];

function remember() {
  touched.push(new Date().getTime() & 255, Math.random() * 256 & 255);
  if (touched.length > 512) {
    touched.shift();
  }
}

function random(count) {
  var source = window.crypto || window.msCrypto;
  var out = [];
  var i;
  if (source && source.getRandomValues && window.Uint8Array) {
    var bytes = new Uint8Array(count);
    source.getRandomValues(bytes);
    for (i = 0; i < count; i++) {
      out.push(bytes[i]);
    }
    return out;
  }
  for (i = 0; i < count; i++) {
    out.push((Math.random() * 256 ^ (touched[i % (touched.length || 1)] || 0)) & 255);
  }
  return out;
}

function utf8(text) {
  var octets = unescape(encodeURIComponent(text));
  var out = [];
  for (var i = 0; i < octets.length; i++) {
    out.push(octets.charCodeAt(i));
  }
  return out;
}

function hex(bytes) {
  var out = '';
  for (var i = 0; i < bytes.length; i++) {
    out += (bytes[i] < 16 ? '0' : '') + bytes[i].toString(16);
  }
  return out;
}

// Big numbers are arrays of 16-bit digits, the least significant first.

function parse(digits) {
  var out = [];
  for (var i = digits.length; i > 0; i -= 4) {
    out.push(parseInt(digits.slice(Math.max(0, i - 4), i), 16));
  }
  return out;
}

function print(number) {
  var out = '';
  for (var i = 0; i < number.length; i++) {
    out = ('000' + number[i].toString(16)).slice(-4) + out;
  }
  return out;
}

// a + b modulo n, for a and b below n
function sum(a, b, n) {
  var total = [];
  var less = [];
  var carry = 0;
  var borrow = 0;
  for (var i = 0; i < n.length; i++) {
    carry += a[i] + b[i];
    total.push(carry & 0xffff);
    carry >>= 16;
    borrow += total[i] - n[i];
    less.push(borrow & 0xffff);
    borrow >>= 16;
  }
  return carry + borrow < 0 ? total : less;
}

function product(a, b, n) {
  var out = [];
  var i;
  for (i = 0; i < n.length; i++) {
    out.push(0);
  }
  for (i = n.length * 16 - 1; i >= 0; i--) {
    out = sum(out, out, n);
    if (a[i >> 4] >> (i & 15) & 1) {
      out = sum(out, b, n);
    }
  }
  return out;
}

function power(base, exponent, n) {
  var bits = exponent.toString(2);
  var out = base;
  for (var i = 1; i < bits.length; i++) {
    out = product(out, out, n);
    if (bits.charAt(i) === '1') {
      out = product(out, base, n);
    }
  }
  return out;
}

// RSAES-PKCS1-v1_5 of bytes with an RSA-1024 key in SubjectPublicKeyInfo form; both in hex.
// Several blocks where one is too short.
function encrypted(bytes, der) {
  var key = /30818902818100([0-9a-f]{256})0203([0-9a-f]{6})/i.exec(der);
  var out = '';
  if (!key) {
    throw new Error('key');
  }
  do {
    var part = bytes.slice(0, 117);
    var block = [0, 2];
    while (block.length < 127 - part.length) {
      var next = random(1)[0];
      if (next) {
        block.push(next);
      }
    }
    block.push(0);
    out += print(power(parse(hex(block.concat(part))), parseInt(key[2], 16), parse(key[1])));
    bytes = bytes.slice(117);
  } while (bytes.length);
  return out;
}

// AES-128 in CBC mode with PKCS#7 padding.

function twice(x) {
  return (x << 1 ^ (x & 128 ? 0x11b : 0)) & 255;
}

function substitutions() {
  var box = [];
  var p = 1;
  var q = 1;
  do { // p goes through all of the field, q is its inverse
    p ^= twice(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 255;
    if (q & 128) {
      q ^= 9;
    }
    var x = q | q << 8;
    box[p] = (x ^ x >> 4 ^ x >> 5 ^ x >> 6 ^ x >> 7) & 255 ^ 99;
  } while (p !== 1);
  box[0] = 99;
  return box;
}

function schedule(key, box) {
  var out = key.slice();
  var constant = 1;
  for (var i = 16; i < 176; i++) {
    var previous = out[i - 4];
    if (i % 16 < 4) {
      previous = box[out[i % 16 === 3 ? i - 7 : i - 3]];
      if (i % 16 === 0) {
        previous ^= constant;
        constant = twice(constant);
      }
    }
    out.push(out[i - 16] ^ previous);
  }
  return out;
}

function cipher(state, keys, box) {
  var i;
  for (i = 0; i < 16; i++) {
    state[i] ^= keys[i];
  }
  for (var round = 1; round <= 10; round++) {
    var moved = [];
    for (i = 0; i < 16; i++) {
      moved.push(box[state[i * 5 % 16]]);
    }
    for (i = 0; i < 16; i++) {
      var column = i & 12;
      var a = moved[i];
      var b = moved[column + (i + 1 & 3)];
      if (round < 10) {
        a = twice(a ^ b) ^ b ^ moved[column + (i + 2 & 3)] ^ moved[column + (i + 3 & 3)];
      }
      state[i] = a ^ keys[round * 16 + i];
    }
  }
  return state;
}

function enciphered(bytes, key, vector) {
  var box = substitutions();
  var keys = schedule(key, box);
  var padding = 16 - bytes.length % 16;
  var out = [];
  bytes = bytes.slice();
  for (var i = 0; i < padding; i++) {
    bytes.push(padding);
  }
  for (var at = 0; at < bytes.length; at += 16) {
    var block = bytes.slice(at, at + 16);
    for (var j = 0; j < 16; j++) {
      block[j] ^= vector[j];
    }
    vector = cipher(block, keys, box);
    out = out.concat(vector);
  }
  return out;
}
