// A host of plugins that does what Falco does, and what it never would.
//
//	host LIBRARY MODE CONFIG [PARAMS]...
//
// MODE:
//	print    print of each event its code, thread, length and a sum of its bytes
//	old      print, as a host that knows of no versions of the schema of events
//	count    read COUNT events, the last argument, and print how long it took, ns
//	orders   odd orders of calls
//
// It uses the interface as it is documented, through dlopen alone.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#pragma pack(push, 1)
struct event {
	uint64_t ts, tid;
	uint32_t len;
	uint16_t type;
	uint32_t nparams;
};
#pragma pack(pop)

struct init_input {
	const char *config;
	void *owner, *last_error, *tables, *log;
};

struct event_input {
	const struct event *event;
	uint64_t number;
	const char *source;
};

struct field {
	union {
		const char **text;
		uint64_t *number;
	} result;
	uint64_t results;
	uint32_t id;
	const char *name, *key;
	uint64_t index;
	uint32_t present, type, list;
};

struct extract_input {
	void *owner, *last_error;
	uint32_t n;
	struct field *fields;
};

struct metric {
	const char *name;
	int kind;
	uint64_t value;
	int type;
};

static struct {
	const char *(*get_required_api_version)(void);
	const char *(*get_name)(void);
	const char *(*get_version)(void);
	const char *(*get_fields)(void);
	const char *(*get_init_schema)(int32_t *);
	const char *(*get_extract_event_sources)(void);
	void *(*init)(struct init_input *, int32_t *);
	void (*destroy)(void *);
	const char *(*get_last_error)(void *);
	void *(*open)(void *, const char *, int32_t *);
	void (*close)(void *, void *);
	int32_t (*next_batch)(void *, void *, uint32_t *, struct event ***);
	const char *(*list_open_params)(void *, int32_t *);
	struct metric *(*get_metrics)(void *, uint32_t *);
	int32_t (*extract_fields)(void *, struct event_input *, struct extract_input *);
	const char *(*get_async_events)(void);
	const char *(*get_async_event_sources)(void);
	int32_t (*set_async_event_handler)(void *, void *, void *);
	const char *(*get_required_event_schema_version)(void *);
} p;

static void check(int ok, const char *what, void *state) {
	if (ok) return;
	fprintf(stderr, "host: %s: %s\n", what, p.get_last_error ? p.get_last_error(state) : "");
	exit(1);
}

static void load(const char *library, int modern) {
	void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!lib) fprintf(stderr, "host: %s\n", dlerror());
	check(lib != NULL, "dlopen", NULL);
#define SYMBOL(s) check((*(void **)&p.s = dlsym(lib, "plugin_" #s)) != NULL, "no plugin_" #s, NULL)
	SYMBOL(get_last_error);
	SYMBOL(get_required_api_version);
	SYMBOL(get_name);
	SYMBOL(get_version);
	SYMBOL(get_fields);
	SYMBOL(get_init_schema);
	SYMBOL(get_extract_event_sources);
	SYMBOL(init);
	SYMBOL(destroy);
	SYMBOL(open);
	SYMBOL(close);
	SYMBOL(next_batch);
	SYMBOL(list_open_params);
	SYMBOL(get_metrics);
	SYMBOL(extract_fields);
	SYMBOL(get_async_events);
	SYMBOL(get_async_event_sources);
	SYMBOL(set_async_event_handler);
	check(!strcmp(p.get_async_events(), "[\"pdig_tracer\"]"), "the events that a rule may name", NULL);
	if (modern) SYMBOL(get_required_event_schema_version);
	check(dlsym(lib, "plugin_get_id") == NULL, "a plugin with an id is no source of system calls", NULL);
}

static void *init(const char *config, int32_t *rc) {
	struct init_input in = {.config = config};
	return p.init(&in, rc);
}

static void *started(const char *config) {
	int32_t rc = 1;
	void *s = init(config, &rc);
	check(rc == 0, "init", s);
	return s;
}

static void *opened(void *s, const char *params) {
	int32_t rc = 1;
	void *h = p.open(s, params, &rc);
	check(rc == 0, "open", s);
	check(p.set_async_event_handler(s, s, (void *)p.init) == 0, "set_async_event_handler", s);
	return h;
}

static uint64_t sum(const struct event *e) {
	uint64_t h = 14695981039346656037u;
	for (uint32_t i = 0; i < e->len; i++) h = (h ^ ((const uint8_t *)e)[i]) * 1099511628211u;
	return h;
}

// touch reads every byte of a batch.
static uint64_t touch(struct event **events, uint32_t n) {
	uint64_t h = 0;
	for (uint32_t i = 0; i < n; i++) h ^= sum(events[i]);
	return h;
}

// texts asks for fields that are texts; what comes is valid until the next time.
static void texts(void *s, const struct event *e, const uint32_t *ids, int n, const char **out) {
	struct field f[4] = {};
	for (int i = 0; i < n; i++) f[i].id = ids[i];
	struct event_input ev = {e, 1, "syscall"};
	struct extract_input in = {.n = n, .fields = f};
	check(p.extract_fields(s, &ev, &in) == 0, "extract", s);
	for (int i = 0; i < n; i++) out[i] = f[i].results ? *f[i].result.text : "-";
}

static volatile sig_atomic_t ending;
static void end(int sig) { (void)sig; ending = 1; }

static void print(const char *config, const char *params) {
	void *s = started(config), *h = opened(s, params);
	signal(SIGTERM, end);
	puts("open");
	fflush(stdout);
	for (;;) {
		uint32_t n;
		struct event **events;
		int32_t rc = p.next_batch(s, h, &n, &events);
		if (rc == -1 && ending) break;
		if (rc == -1) {
			fflush(stdout);
			continue;
		}
		check(rc == 0 && n > 0, "next_batch", s);
		for (uint32_t i = 0; i < n; i++) {
			const struct event *e = events[i];
			const char *text[2];
			texts(s, e, (uint32_t[]){0, 3}, 2, text);
			printf("%u %lld %u %016llx %s %s\n", e->type, (long long)e->tid, e->len, (unsigned long long)sum(e), text[0], text[1]);
		}
	}
	uint32_t n;
	struct metric *m = p.get_metrics(s, &n);
	for (uint32_t i = 0; i < n; i++) printf("%s=%llu\n", m[i].name, (unsigned long long)m[i].value);
	p.close(s, h);
	p.destroy(s);
}

static uint64_t now(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void count(const char *config, const char *params, uint64_t count) {
	void *s = started(config), *h = opened(s, params);
	puts("open");
	fflush(stdout);
	uint64_t got = 0, cpu = 0, h64 = 0;
	while (got < count) {
		uint32_t n;
		struct event **events;
		uint64_t begin = now(CLOCK_THREAD_CPUTIME_ID);
		int32_t rc = p.next_batch(s, h, &n, &events);
		cpu += now(CLOCK_THREAD_CPUTIME_ID) - begin;
		if (rc == -1) continue;
		check(rc == 0, "next_batch", s);
		for (uint32_t i = 0; i < n; i++) h64 ^= events[i]->ts ^ events[i]->len;
		got += n;
	}
	printf("%llu events %llu ns %llx\n", (unsigned long long)got, (unsigned long long)cpu, (unsigned long long)h64);
	p.close(s, h);
	p.destroy(s);
}

// reader reads until the capture is closed under it.
struct reader {
	void *state, *capture;
	uint64_t batches;
};

static void *reads(void *arg) {
	struct reader *r = arg;
	for (;;) {
		uint32_t n;
		struct event **events;
		int32_t rc = p.next_batch(r->state, r->capture, &n, &events);
		if (rc == 1) return NULL;
		r->batches++;
	}
}

static void orders(const char *config, const char *one, const char *two) {
	uint32_t n = 77;
	struct event **events = NULL;
	int32_t rc = 77;

	// Nothing was made.
	check(p.get_last_error(NULL) != NULL, "no error without a state", NULL);
	check(p.next_batch(NULL, NULL, &n, &events) == 1 && n == 0, "next_batch of nothing", NULL);
	check(p.open(NULL, "", &rc) == NULL && rc == 1, "open of nothing", NULL);
	p.close(NULL, NULL);
	p.destroy(NULL);

	// What is refused has a reason.
	void *bad = init("{\"ring\":1}", &rc);
	check(rc == 1 && strstr(p.get_last_error(bad), "init_config"), "a bad configuration", bad);
	check(p.open(bad, one, &rc) == NULL && rc == 1, "open of what was refused", bad);
	p.destroy(bad);
	p.destroy(bad);

	void *s = started(config);
	check(p.open(s, "/nowhere/ring", &rc) == NULL && rc == 1 && strstr(p.get_last_error(s), "/nowhere"), "open of a ring nowhere", s);

	// Two captures of two rings, and a second one of the same ring.
	void *a = opened(s, one), *b = opened(s, two);
	check(p.open(s, one, &rc) == NULL && rc == 1 && strstr(p.get_last_error(s), "another consumer"), "the same ring twice", s);
	for (int i = 0; i < 3; i++) {
		check(p.next_batch(s, a, &n, &events) <= 0, "next_batch of the first", s);
		if (n) touch(events, n);
		check(p.next_batch(s, b, &n, &events) <= 0, "next_batch of the second", s);
		if (n) touch(events, n);
	}

	// An event of nobody has no fields, and a field that is none has no value.
	struct event stranger = {.len = sizeof stranger};
	const char *text[3];
	texts(s, &stranger, (uint32_t[]){0, 3, 99}, 3, text);
	for (int i = 0; i < 3; i++) check(!strcmp(text[i], "-"), "fields of a stranger", s);

	// Closed while it is read, twice, and read when it is closed.
	struct reader r = {s, a, 0};
	pthread_t thread;
	check(pthread_create(&thread, NULL, reads, &r) == 0, "pthread_create", NULL);
	usleep(100000);
	p.close(s, a);
	pthread_join(thread, NULL);
	p.close(s, a);
	check(p.next_batch(s, a, &n, &events) == 1 && n == 0 && strstr(p.get_last_error(s), "not open"), "read when closed", s);

	// It can be opened again, and destroyed without a close.
	a = opened(s, one);
	check(p.next_batch(s, a, &n, &events) <= 0, "next_batch of a second capture", s);
	check(p.list_open_params(s, &rc) && rc == 0, "list_open_params", s);
	check(p.get_metrics(s, &n) && n > 4, "get_metrics", s);
	p.destroy(s);
	check(p.next_batch(s, b, &n, &events) == 1 && n == 0, "read when destroyed", NULL);
	p.close(s, b);

	// And by a state of its own, when all that is gone.
	for (int i = 0; i < 20; i++) {
		s = started(config);
		a = opened(s, one);
		check(p.next_batch(s, a, &n, &events) <= 0, "next_batch of a new state", s);
		if (i % 2) p.close(s, a);
		p.destroy(s);
	}
	puts("done");
}

int main(int argc, char **argv) {
	if (argc < 5) {
		fprintf(stderr, "usage: host LIBRARY MODE CONFIG PARAMS...\n");
		return 2;
	}
	const char *mode = argv[2];
	int old = !strcmp(mode, "old");
	load(argv[1], !old);
	if (old || !strcmp(mode, "print")) print(argv[3], argv[4]);
	else if (!strcmp(mode, "count")) count(argv[3], argv[4], strtoull(argv[5], NULL, 10));
	else orders(argv[3], argv[4], argv[5]);
	return 0;
}
