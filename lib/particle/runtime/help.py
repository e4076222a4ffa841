"""How the verbs are used: what help(particle) and the prompt show of them (device-api 13)."""

from micropython import const

_USE = const("""
can_publish(size=0)  True when an event would be taken now
clear_session()  forget the session: the next connection begins with a handshake
config(**values)  change settings and keep them; config("key"): one, config(): all
connect(timeout=None, *, background=True)  connect, wait for it, stay connected
connected()  True while events can be published
diagnose()  list of (stage, ok, text): where a connection stands and what to do
disconnect(*, graceful=False, timeout=30, clear_session=False)  end the connection
disconnected()  True while there is no connection
events(prefix='')  async iterator over events
flush(timeout)  wait until every event has gone; False if not
function(name, handler=None)  have handler(text) -> int called; a decorator without handler
get_ip(timeout=10)  the address that the cloud sees
get_name(timeout=10)  the name of this device
get_random(timeout=10)  40 random characters
keep_alive(seconds=None)  seconds between pings, or set them
process()  do what is due and return: for a loop of one's own
publish(name, data=None, *, ack=None, ttl=60, content_type=None, timeout=20, persist=False)  \
send an event; ack=True waits for the cloud
publish_vitals(period=None)  send the vitals now, and every period s
run()  connect and serve the connection for ever
run_forever()  the same inside asyncio, awaited
server(host, port=None, *, key=None)  whom to connect to, and with which key; it is kept
set_disconnect_options(*, graceful=False, timeout=30, clear_session=False)  for disconnect()
subscribe(prefix, handler=None, *, structured=False, binary=False)  have handler(name, data) \
called for events; a decorator without handler
sync_time()  set the clock from the cloud
sync_time_pending()  True while the time is waited for
time_synced_last()  (ticks_ms, Unix time) of the last answer
unsubscribe(prefix=None)  remove the handlers of prefix, or all
usage()  dict of what was used: operations, bytes, handshakes
variable(name, value_or_callable=None, *, type=None)  let the cloud read a value
wait_until(condition, timeout=None)  serve the connection until condition(); False if not
""")

_OBJECTS = const("""objects:
  cloud -- whose verbs these are
  led -- driver(device=None) on_signal(handler) state
  retained -- a dict that is kept
  setup -- active() button(pin=None, level=0) pushed() start(*, wait=True) stop()
  system -- button_pushed() enter_safe_mode() on(events, handler) reset_reason safe_mode()
  time -- now() valid()
  vitals -- register(number, name, getter) snapshot()
  wifi -- clear_credentials(ssid=None) connect(timeout=None) credentials() disconnect() \
listen(on=True) local_ip off() on() ready() rssi() scan() set_credentials(ssid, password=None)""")


def use(name):
    """Return one line: how `particle.NAME` is called and what it does; "": that of all objects."""
    if not name:
        return _OBJECTS
    at = _USE.find("\n" + name + "(") + 1
    return _USE[at : _USE.find("\n", at)]
