// What Falco's plugin interface hands over, as far as libpdig looks at it.

#include <stdint.h>
#include <stdlib.h>

typedef const char *text;

enum { SUCCESS = 0, FAILURE = 1, TIMEOUT = -1, END = 2, JSON_SCHEMA = 1 };

// The host appends members: these are in all versions.
typedef struct {
	text config;
} init_input;

typedef struct {
	uintptr_t event;
	uint64_t number;
	text source;
} event_input;

typedef struct {
	void *result; // to the first of an array of values
	uint64_t results;
	uint32_t id;
	text name, key;
	uint64_t index;
	uint32_t present, type, list;
} field;

typedef struct {
	void *owner, *last_error;
	uint32_t n;
	field *fields;
} extract_input;

typedef struct {
	text name;
	uint32_t kind; // 0 is one that only grows
	uint64_t value;
	uint32_t type; // 2 is a uint64_t
} metric;

// Whether the host has asked for the function that says which schema of events is
// needed: see schema.c.
int host_has_schemas(void);
