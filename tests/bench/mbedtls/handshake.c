// A DTLS handshake of mbedTLS with itself on QEMU's mps2-an385: what the client's side costs.
// Prints one line of JSON. The heap is counted by owner, the instructions by a timer of 25 MHz,
// which with -icount shift=0 ticks every 40 instructions.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbedtls/platform.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/x509_crt.h"

#include "keys.h" // server_crt, server_key, client_crt, client_key

#define TICK 40
#define TIMER ((volatile uint32_t *)0x40000000) // CTRL, VALUE, RELOAD
#define UART ((volatile uint32_t *)0x40004000) // DATA, STATE, CTRL, BAUDDIV

static void say(const char *text) {
    while (*text) {
        UART[0] = *text++;
    }
}

static void end(void) {
    register uint32_t r0 __asm__("r0") = 0x18; // SYS_EXIT
    register uint32_t r1 __asm__("r1") = 0x20026; // ADP_Stopped_ApplicationExit
    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1));
}

static void check(int result, const char *what) {
    if (result != 0) {
        char text[80];
        snprintf(text, sizeof text, "%s: -0x%x\n", what, -result);
        say(text);
        end();
    }
}

// Memory: blocks know their owner and size.
enum { CLIENT, SERVER };
static int owner;
static size_t used[2], peak[2], blocks[2], most[2];

typedef struct {
    uint32_t size;
    uint32_t owner;
} head_t;

static void *take(size_t n, size_t size) {
    n *= size;
    head_t *head = calloc(1, sizeof *head + n);
    if (head == NULL) {
        return NULL;
    }
    head->size = n;
    head->owner = owner;
    used[owner] += n;
    blocks[owner]++;
    if (used[owner] > peak[owner]) {
        peak[owner] = used[owner];
        most[owner] = blocks[owner];
    }
    return head + 1;
}

static void give(void *block) {
    if (block != NULL) {
        head_t *head = (head_t *)block - 1;
        used[head->owner] -= head->size;
        blocks[head->owner]--;
        free(head);
    }
}

void *_sbrk(ptrdiff_t n) {
    static char heap[1 << 20], *top = heap;
    char *was = top;
    top += n;
    return was;
}

static uint32_t state = 1;

static int random_bytes(void *context, unsigned char *out, size_t n) {
    (void)context;
    while (n--) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *out++ = state >> 24;
    }
    return 0;
}

// The network: two queues of datagrams.
typedef struct {
    unsigned char data[8][1600];
    size_t n[8];
    int first, count;
    int datagrams;
    size_t bytes;
} queue_t;

static queue_t queues[2]; // by receiver

static int give_datagram(void *context, const unsigned char *buf, size_t n) {
    queue_t *queue = &queues[1 - (intptr_t)context];
    int at = (queue->first + queue->count++) % 8;
    memcpy(queue->data[at], buf, n);
    queue->n[at] = n;
    queue->datagrams++;
    queue->bytes += n;
    return n;
}

static int take_datagram(void *context, unsigned char *buf, size_t n) {
    queue_t *queue = &queues[(intptr_t)context];
    if (queue->count == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    int at = queue->first;
    queue->first = (at + 1) % 8;
    queue->count--;
    if (queue->n[at] < n) {
        n = queue->n[at];
    }
    memcpy(buf, queue->data[at], n);
    return n;
}

// No datagram is lost, so no timer ever ends.
static uint32_t timers[2];

static void set_timer(void *context, uint32_t soon, uint32_t late) {
    (void)soon;
    *(uint32_t *)context = late;
}

static int get_timer(void *context) {
    return *(uint32_t *)context ? 0 : -1;
}

typedef struct {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt own, peer;
    mbedtls_pk_context key;
} side_t;

static side_t sides[2];
static mbedtls_ssl_cookie_ctx cookies;
static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};

#define DER(name) name, sizeof name

static void make(int which) {
    side_t *s = &sides[which];
    owner = which;
    mbedtls_ssl_init(&s->ssl);
    mbedtls_ssl_config_init(&s->config);
    mbedtls_x509_crt_init(&s->own);
    mbedtls_x509_crt_init(&s->peer);
    mbedtls_pk_init(&s->key);
    check(mbedtls_ssl_config_defaults(
        &s->config, which == CLIENT ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
        MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT), "defaults");
    mbedtls_ssl_conf_rng(&s->config, random_bytes, NULL);
    mbedtls_ssl_conf_ciphersuites(&s->config, suites);
    mbedtls_ssl_conf_authmode(&s->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    if (which == CLIENT) {
        check(mbedtls_x509_crt_parse_der(&s->own, DER(client_crt)), "certificate");
        check(mbedtls_x509_crt_parse_der(&s->peer, DER(server_crt)), "peer");
        check(mbedtls_pk_parse_key(&s->key, DER(client_key), NULL, 0, random_bytes, NULL), "key");
    } else {
        check(mbedtls_x509_crt_parse_der(&s->own, DER(server_crt)), "certificate");
        check(mbedtls_x509_crt_parse_der(&s->peer, DER(client_crt)), "peer");
        check(mbedtls_pk_parse_key(&s->key, DER(server_key), NULL, 0, random_bytes, NULL), "key");
        mbedtls_ssl_cookie_init(&cookies);
        check(mbedtls_ssl_cookie_setup(&cookies, random_bytes, NULL), "cookies");
        mbedtls_ssl_conf_dtls_cookies(
            &s->config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
    }
    mbedtls_ssl_conf_ca_chain(&s->config, &s->peer, NULL);
    check(mbedtls_ssl_conf_own_cert(&s->config, &s->own, &s->key), "own");
    check(mbedtls_ssl_conf_cid(&s->config, which == CLIENT ? 0 : 8,
        MBEDTLS_SSL_UNEXPECTED_CID_IGNORE), "cid");
    check(mbedtls_ssl_setup(&s->ssl, &s->config), "setup");
    check(mbedtls_ssl_set_cid(&s->ssl, MBEDTLS_SSL_CID_ENABLED,
        (const unsigned char *)"12345678", which == CLIENT ? 0 : 8), "cid");
    if (which == CLIENT) {
        check(mbedtls_ssl_set_hostname(&s->ssl, NULL), "name");
    } else {
        check(mbedtls_ssl_set_client_transport_id(&s->ssl, (const unsigned char *)"c", 1), "id");
    }
    mbedtls_ssl_set_bio(&s->ssl, (void *)(intptr_t)which, give_datagram, take_datagram, NULL);
    mbedtls_ssl_set_timer_cb(&s->ssl, &timers[which], set_timer, get_timer);
    mbedtls_ssl_set_mtu(&s->ssl, 1400);
}

// -> 1 when the handshake is over
static int step(int which) {
    owner = which;
    int result = mbedtls_ssl_handshake(&sides[which].ssl);
    if (result == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
        check(mbedtls_ssl_session_reset(&sides[which].ssl), "reset");
        check(mbedtls_ssl_set_client_transport_id(
            &sides[which].ssl, (const unsigned char *)"c", 1), "id");
        return 0;
    }
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return 0;
    }
    check(result, which == CLIENT ? "client" : "server");
    return 1;
}

int main(void) {
    UART[4] = 16;
    UART[2] = 1;
    TIMER[1] = TIMER[2] = 0xffffffff;
    TIMER[0] = 1;
    mbedtls_platform_set_calloc_free(take, give);
    make(SERVER);
    make(CLIENT);
    size_t idle = used[CLIENT];
    uint32_t total = 0, longest = 0;
    int done;
    do {
        uint32_t begin = TIMER[1];
        done = step(CLIENT);
        uint32_t took = begin - TIMER[1];
        total += took;
        if (took > longest) {
            longest = took;
        }
        done &= step(SERVER);
    } while (!done);
    char text[300];
    snprintf(text, sizeof text,
        "{\"instructions\": %lu, \"longest\": %lu, \"peak\": %u, \"blocks\": %u, \"ready\": %u,"
        " \"after\": %u, \"datagrams\": %d, \"bytes\": %u, \"suite\": \"%s\"}\n",
        (unsigned long)total * TICK, (unsigned long)longest * TICK,
        peak[CLIENT] + sizeof(side_t), most[CLIENT], idle + sizeof(side_t),
        used[CLIENT] + sizeof(side_t), queues[0].datagrams + queues[1].datagrams,
        queues[0].bytes + queues[1].bytes,
        mbedtls_ssl_get_ciphersuite(&sides[CLIENT].ssl));
    say(text);
    end();
}

extern uint32_t _estack, _sidata, _sdata, _edata, _sbss, _ebss;

void reset(void) {
    memcpy(&_sdata, &_sidata, (char *)&_edata - (char *)&_sdata);
    memset(&_sbss, 0, (char *)&_ebss - (char *)&_sbss);
    main();
    for (;;) {
    }
}

static void fault(void) {
    say("fault\n");
    end();
}

__attribute__((section(".isr_vector"), used)) static const void *const vectors[] = {
    &_estack, reset, fault, fault, fault, fault, fault,
};
