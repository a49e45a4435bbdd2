// Which generation of hosts loads the library cannot be asked. But those since API
// 3.12.0, which take calls as exit events alone, look this symbol up before they
// call anything else; and the symbol of an indirect function is looked up by
// calling its resolver.

#include "plugin.h"

static int asked;

static text needed(void *state) {
	(void)state;
	return "4.0.0";
}

__attribute__((used)) static text (*resolve(void))(void *) {
	asked = 1;
	return needed;
}

text plugin_get_required_event_schema_version(void *) __attribute__((ifunc("resolve"), visibility("default")));

int host_has_schemas(void) { return asked; }
