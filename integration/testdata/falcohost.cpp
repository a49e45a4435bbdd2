// A host as Falco is one: it opens a plugin as the source of system calls on the
// full platform, with the fields of the plugin, and prints what it makes of events.
//
//	host LIBRARY INIT_CONFIG OPEN_PARAMS FORMAT
//	host CAPTURE.scap - - FORMAT
//
// It ends after SIGTERM when the plugin is quiet; then the number of events, the time
// of the processor that they took and the metrics of the plugin follow on the standard
// error output. Without a FORMAT nothing is printed. With Debian's packages
// g++ and libfalcosecurity0-dev (0.23):
//
//	g++ -std=c++17 -O1 -I/usr/include/falcosecurity -I/usr/include/tbb -I/usr/include/jsoncpp \
//		falcohost.cpp -o host -lsinsp -lscap -ljsoncpp -lre2 -ltbb
#include <libsinsp/eventformatter.h>
#include <libsinsp/plugin.h>
#include <libsinsp/plugin_filtercheck.h>
#include <libsinsp/sinsp.h>
#include <libsinsp/sinsp_filtercheck.h>

#include <csignal>
#include <cstdio>
#include <ctime>

static volatile sig_atomic_t ending;

int main(int argc, char **argv) {
	if (argc != 5) {
		fprintf(stderr, "usage: host LIBRARY INIT_CONFIG OPEN_PARAMS FORMAT\n");
		return 2;
	}
	signal(SIGTERM, [](int) { ending = 1; });
	try {
		sinsp inspector;
		std::string library = argv[1];
		bool capture = library.size() > 5 && library.substr(library.size() - 5) == ".scap";
		sinsp_filter_check_list list;
		std::shared_ptr<sinsp_plugin> plugin;
		if (capture) {
			inspector.open_savefile(library);
		} else {
			plugin = inspector.register_plugin(library);
			std::string err;
			if (!plugin->init(argv[2], err)) {
				fprintf(stderr, "init: %s\n", err.c_str());
				return 1;
			}
			list.add_filter_check(sinsp_plugin::new_filtercheck(plugin));
			inspector.open_plugin(plugin->name(), argv[3], sinsp_plugin_platform::SINSP_PLATFORM_FULL);
		}
		sinsp_evt_formatter format(&inspector, *argv[4] ? argv[4] : "%evt.num", list);
		inspector.start_capture();
		unsigned long long n = 0;
		struct timespec start;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
		long long begun = start.tv_sec * 1000000000ll + start.tv_nsec;
		puts("open");
		fflush(stdout);
		for (;;) {
			sinsp_evt *evt;
			int32_t rc = inspector.next(&evt);
			if (rc == SCAP_TIMEOUT) {
				fflush(stdout);
				if (ending) break;
				continue;
			}
			if (rc == SCAP_FILTERED_EVENT) continue;
			if (rc == SCAP_EOF) break;
			if (rc != SCAP_SUCCESS) {
				fprintf(stderr, "next: %s\n", inspector.getlasterr().c_str());
				return 1;
			}
			n++;
			std::string line;
			if (*argv[4] && format.tostring(evt, line)) puts(line.c_str());
		}
		struct timespec t;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
		fprintf(stderr, "events=%llu\ncpu_ns=%lld\n", n, t.tv_sec * 1000000000ll + t.tv_nsec - begun);
		if (plugin) for (auto &m : plugin->get_metrics()) fprintf(stderr, "%s=%llu\n", m.name, (unsigned long long)m.value.u64);
	} catch (const std::exception &e) {
		fprintf(stderr, "%s\n", e.what());
		return 1;
	}
	return 0;
}
