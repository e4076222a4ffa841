// The page: three views (choose a network, its settings, connecting) over the device's own HTTP
// commands (setup-protocols 2.5) and two of the portal: /portal/join and /portal/state.
// ES5, as old captive browsers speak it. What the device or the air says is set as text, never
// as HTML.

// key -> its text in each language
var TEXTS = {{texts}};
var LANGUAGES = ['en', 'de'];

var WEP = 1;
var ENTERPRISE = 0x2000000;
var PATIENCE = 90000; // ms without any answer
var KEY = 300000; // ms in which a device makes its key; it begins when it opens its network
var POLL = 500; // ms

var language = /^de/i.test(navigator.language || navigator.userLanguage || '') ? 1 : 0;
var wanted = null; // {ssid, sec, listed}
var networks = null; // as shown, the strongest first
var device = {}; // what /portal/state said last
var problem = null; // [key, arguments of the text]
var steps = null;

function $(id) {
  return document.getElementById(id);
}

// the text of a key in the language; %1 is the next argument, and so on
function text(key) {
  var parts = arguments;
  return TEXTS[key][language].replace(/%(\d)/g, function (mark, number) {
    return parts[number];
  });
}

function say(element, content) {
  if (element.textContent !== content) { // screen readers would read it again
    element.textContent = content;
  }
}

function show(element, visible) {
  if (visible) {
    element.removeAttribute('hidden');
  } else {
    element.setAttribute('hidden', '');
  }
}

function shown(id) {
  return !$(id).hasAttribute('hidden');
}

// Requests. done(answer) gets null when there was none, {} when it was not JSON.

function request(path, body, done) {
  var http = new XMLHttpRequest();
  var over = false;
  var timer;
  function end(answer) {
    if (!over) {
      over = true;
      clearTimeout(timer);
      done(answer);
    }
  }
  timer = setTimeout(function () {
    end(null);
    http.abort();
  }, 15000);
  http.onreadystatechange = function () {
    if (http.readyState === 4) {
      var answer = null;
      if (http.status === 200) {
        try {
          answer = JSON.parse(http.responseText);
        } catch (e) {
          answer = {};
        }
      }
      end(answer);
    }
  };
  try {
    http.open(body ? 'POST' : 'GET', path, true);
    if (body) {
      // no other type: that is what the device expects (setup-protocols 2.3)
      http.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    }
    http.send(body ? JSON.stringify(body) : null);
  } catch (e) {
    end(null);
  }
}

// Asks again until there is an answer: a phone may leave the device's network for a moment when
// that changes its channel.
function insist(path, body, done) {
  var began = new Date().getTime();
  function once() {
    request(path, body, function (answer) {
      if (answer) {
        done(answer);
      } else if (new Date().getTime() - began > PATIENCE) {
        done(null);
      } else {
        step('waiting', device.ap || '');
        setTimeout(once, 1000);
      }
    });
  }
  once();
}

// Views

function view(name) {
  var names = ['list', 'form', 'work', 'done'];
  for (var i = 0; i < names.length; i++) {
    show($(names[i]), names[i] === name);
  }
  window.scrollTo(0, 0);
}

function heading(name) {
  $(name).getElementsByTagName('h2')[0].focus();
}

function complain(key) {
  problem = key ? [].slice.call(arguments) : null;
  tell();
}

function tell() {
  var where = $('problem');
  var words = problem;
  show(where, words);
  if (words && words[0] === 'failed') {
    words = ['failed', words[1], text.apply(null, words.slice(2))];
  }
  say(where, words ? text.apply(null, words) : '');
}

function step() {
  steps = [].slice.call(arguments);
  say($('step'), text.apply(null, steps));
}

function translate() {
  document.documentElement.lang = LANGUAGES[language];
  document.title = text('title');
  var all = document.querySelectorAll('[data-t]');
  for (var i = 0; i < all.length; i++) {
    say(all[i], text(all[i].getAttribute('data-t')));
  }
  say($('language'), text('language'));
  $('language').lang = LANGUAGES[1 - language];
  if (device.id) {
    say($('device'), text('device', device.id.slice(-6)));
  }
  if (steps) {
    step.apply(null, steps);
  }
  list();
  named();
  result();
  tell();
}

// The list of networks

function bars(rssi) {
  return rssi > -60 ? 4 : rssi > -70 ? 3 : rssi > -80 ? 2 : 1;
}

// one entry per name, that of the strongest access point; the strongest first
function merged(scans) {
  var best = {};
  var out = [];
  var i;
  for (i = 0; i < scans.length; i++) {
    var name = '$' + scans[i].ssid; // no name of a property that objects have
    if (scans[i].ssid && !(best[name] && best[name].rssi >= scans[i].rssi)) {
      best[name] = scans[i];
    }
  }
  for (name in best) {
    if (best.hasOwnProperty(name)) {
      out.push(best[name]);
    }
  }
  return out.sort(function (a, b) {
    return b.rssi - a.rssi;
  });
}

function child(parent, tag, name, content) {
  var out = document.createElement(tag);
  if (name) {
    out.className = name;
  }
  if (content) {
    out.textContent = content;
  }
  parent.appendChild(out);
  return out;
}

function row(network) {
  var button = child(child($('networks'), 'li'), 'button');
  var strength = bars(network.rssi);
  var kind = network.sec & ENTERPRISE ? 'Enterprise' : network.sec ? '' : text('open');
  button.type = 'button';
  child(button, 'span', 'ssid', network.ssid);
  child(button, 'span', kind ? 'kind' : 'far', kind || text('secured'));
  child(button, 'span', 'far', text('signal', strength));
  var drawn = child(button, 'span', 'bars');
  drawn.setAttribute('aria-hidden', 'true');
  for (var i = 1; i <= 4; i++) {
    child(drawn, 'i', i <= strength ? 'on' : '').style.height = 2 + 4 * i + 'px';
  }
  button.onclick = function () {
    choose(network.ssid, network.sec, true);
  };
}

function list() {
  $('networks').innerHTML = '';
  for (var i = 0; networks && i < networks.length; i++) {
    row(networks[i]);
  }
  say($('looking'), networks ? networks.length ? '' : text('nothing') : text('looking'));
}

function scan() {
  var button = $('rescan');
  networks = null;
  list();
  button.disabled = true;
  request('/scan-ap', null, function (answer) {
    button.disabled = false;
    networks = merged(answer && answer.scans || []);
    list();
    if (!answer) {
      say($('looking'), text('why scan'));
    }
  });
}

// The settings of one network

function choose(ssid, sec, listed) {
  if (!wanted || wanted.ssid !== ssid) {
    $('password').value = '';
  }
  wanted = { ssid: ssid, sec: sec, listed: listed };
  complain();
  open();
  if (listed && sec) {
    $(sec & ENTERPRISE ? 'ii' : 'password').focus();
  } else if (listed) {
    $('connect').focus();
  } else {
    $('ssid').focus();
  }
}

function open() {
  marked();
  named();
  fields();
  advanced(wanted.sec & ENTERPRISE || $('fixed').checked || $('claim').value);
  view('form');
}

function named() {
  if (wanted) {
    say($('name'), wanted.listed ? wanted.ssid : text('other'));
  }
}

// shows what this kind of network needs
function fields() {
  var sec = wanted.sec;
  show($('unlisted'), !wanted.listed);
  show($('secret'), sec && !(sec & ENTERPRISE && $('eap').value === '13'));
  show($('enterprise'), sec & ENTERPRISE);
  show($('peap'), $('eap').value === '25');
  show($('tls'), $('eap').value === '13');
  show($('addresses'), $('fixed').checked);
}

function advanced(visible) {
  show($('advanced'), visible);
  $('more').setAttribute('aria-expanded', visible ? 'true' : 'false');
}

function marked(id) {
  var all = document.querySelectorAll('[aria-invalid]');
  for (var i = 0; i < all.length; i++) {
    all[i].removeAttribute('aria-invalid');
    all[i].removeAttribute('aria-describedby');
  }
  if (id) {
    $(id).setAttribute('aria-invalid', 'true');
    $(id).setAttribute('aria-describedby', 'problem');
    if ($('advanced').contains($(id))) {
      advanced(true);
    }
    $(id).focus();
  }
}

function refuse(id, key) {
  complain(key);
  marked(id);
  return null;
}

function address(id) {
  var parts = /^\s*(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\s*$/.exec($(id).value);
  for (var i = 1; parts && i < 5; i++) {
    if (+parts[i] > 255) {
      return null;
    }
  }
  return parts && [+parts[1], +parts[2], +parts[3], +parts[4]].join('.');
}

// -> what the device is told, null when something is wrong with it; in the protocol's order of
// keys. The two of ours come last: "hid" 1, "ip" "address mask gateway DNS".
function settings() {
  var out = { idx: 0, ssid: wanted.listed ? wanted.ssid : $('ssid').value, sec: wanted.sec, ch: null };
  var password = $('password').value;
  var length = utf8(password).length;
  var enterprise = out.sec & ENTERPRISE;
  var tls = enterprise && $('eap').value === '13';
  var fixed = ['ip', 'mask', 'gateway', 'dns'];
  if (!out.ssid || utf8(out.ssid).length > 32) {
    return refuse('ssid', 'need ssid');
  }
  if (enterprise) {
    if (tls && !($('crt').value && $('key').value)) {
      return refuse('crt', 'need certificate');
    }
    if (!tls && !($('ii').value && password)) {
      return refuse($('ii').value ? 'password' : 'ii', 'need identity');
    }
  } else if (out.sec === WEP || out.sec === 0x8001) {
    if (length < 5 || length > 58) {
      return refuse('password', 'need wep');
    }
  } else if (out.sec && (length < 8 || length > 63) && !/^[0-9a-f]{64}$/i.test(password)) {
    return refuse('password', 'need password');
  }
  if ($('fixed').checked) {
    for (var i = 0; i < 4; i++) {
      var id = fixed[i];
      fixed[i] = address(id);
      if (!fixed[i]) {
        return refuse(id, 'need ip');
      }
    }
    out.ip = fixed.join(' ');
  }
  if ($('claim').value && utf8($('claim').value).length !== 63) {
    return refuse('claim', 'need claim');
  }
  if (!wanted.listed) {
    out.hid = 1;
  }
  out.eap = enterprise ? +$('eap').value : 0;
  out.password = out.sec && !tls ? password : '';
  return out;
}

function pem(id) {
  return $(id).value.replace(/\s+$/, '') + '\r\n';
}

// replaces the password and what belongs to EAP by what goes over the air
function sealed(out, der) {
  var secret;
  if (out.eap) {
    if (out.eap === 13) {
      secret = random(32);
      out.crt = pem('crt');
      out.key = hex(enciphered(utf8(pem('key')), secret.slice(0, 16), secret.slice(16)));
      out.ek = encrypted(secret, der);
    } else {
      out.ii = $('ii').value;
    }
    if ($('oi').value) {
      out.oi = $('oi').value;
    }
    if ($('ca').value) {
      out.ca = pem('ca');
    }
  } else {
    delete out.eap;
  }
  if (out.password) {
    out.pwd = encrypted(utf8(out.password), der);
  }
  delete out.password;
  return out;
}

// Connecting

function failed(key, detail) {
  complain('failed', wanted.ssid, 'why ' + key, detail || device.ap || '');
  if (wanted.ssid && networks) {
    open();
  } else {
    view('list');
  }
  if (key === 'password' && shown('form') && shown('secret')) {
    marked('password');
    $('password').select();
  } else {
    $('problem').focus();
  }
}

function work() {
  complain();
  marked();
  view('work');
  heading('work');
}

function submit() {
  var out = settings();
  if (!out) {
    return;
  }
  wanted.ssid = out.ssid;
  work();
  step('saving');
  keyed(out, new Date().getTime());
}

function keyed(out, began) {
  insist('/public-key', null, function (key) {
    if (!key) {
      return failed('lost');
    }
    if (!key.b && new Date().getTime() - began < KEY) {
      step('preparing');
      setTimeout(function () {
        keyed(out, began);
      }, 1000);
      return;
    }
    // the view is painted before the calculation, which takes a second on an old phone
    setTimeout(function () {
      try {
        out = sealed(out, key.b || '');
      } catch (e) {
        return failed('secret', e.message);
      }
      claimed(out);
    }, 50);
  });
}

function claimed(out) {
  var code = $('claim').value;
  if (!code) {
    return configure(out);
  }
  insist('/set', { k: 'cc', v: code }, function (answer) {
    if (!answer || answer.r !== 0) {
      return failed(answer ? 'claim' : 'lost');
    }
    configure(out);
  });
}

function configure(out) {
  insist('/configure-ap', out, function (answer) {
    if (!answer) {
      return failed('lost');
    }
    if (answer.r !== 0) {
      return failed(answer.r === -2 ? 'absent' : 'rejected', '' + answer.r);
    }
    step('joining', out.ssid);
    insist('/portal/join?ssid=' + encodeURIComponent(out.ssid), null, follow);
  });
}

// asks how it goes until that is known
function follow(answer) {
  if (!answer) {
    return failed('lost');
  }
  device = answer;
  if (answer.state === 'joined') {
    return finish();
  }
  if (answer.state === 'failed') {
    return failed(TEXTS['why ' + answer.why] ? answer.why : 'rejected', answer.text);
  }
  if (answer.state !== 'joining') { // it was restarted
    return failed('lost');
  }
  step('joining', answer.ssid || wanted.ssid);
  setTimeout(function () {
    insist('/portal/state', null, follow);
  }, POLL);
}

// The device leaves its own network for this one; the answer may not arrive any more.
function finish() {
  request('/connect-ap', { idx: 0 }, function () {
    view('done');
    result();
    heading('done');
  });
}

function result() {
  if (device.state === 'joined') {
    say($('result'), text('result', device.ssid, device.ip));
  }
}

function begin() {
  $('language').onclick = function () {
    language = 1 - language;
    translate();
  };
  $('rescan').onclick = function () {
    complain();
    scan();
  };
  $('other').onclick = function () {
    choose($('ssid').value, +$('security').value, false);
  };
  $('security').onchange = function () {
    wanted.sec = +this.value;
    fields();
    advanced(wanted.sec & ENTERPRISE);
  };
  $('eap').onchange = $('fixed').onchange = fields;
  $('show').onclick = function () {
    $('password').type = this.checked ? 'text' : 'password';
  };
  $('more').onclick = function () {
    advanced(!shown('advanced'));
  };
  $('back').onclick = function () {
    complain();
    view('list');
    heading('list');
  };
  $('form').onsubmit = function () {
    submit();
    return false;
  };
  document.onkeydown = document.onmousemove = document.ontouchstart = remember;
  translate();
  show($('main'), true);
  // after a reload in the middle: where it is
  request('/portal/state', null, function (answer) {
    device = answer || {};
    wanted = device.ssid ? { ssid: device.ssid, sec: 0, listed: true } : null;
    translate();
    if (device.state === 'joining' || device.state === 'joined') {
      work();
      return follow(device);
    }
    if (device.state === 'failed') {
      follow(device);
    }
    wanted = null;
    scan();
  });
}

begin();
