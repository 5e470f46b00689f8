/* sysinfo: the machine as a program sees it: kernel, processor (CPUID), memory, time, terminal. */
#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct feature {
  const char *name;
  unsigned leaf, bit;
  enum { EBX, ECX, EDX } reg;
};

/* CPUID feature bits (Intel SDM vol. 2, CPUID, tables 3-10 and 3-11). */
static const struct feature features[] = {
    {"fpu", 1, 0, EDX},      {"tsc", 1, 4, EDX},      {"cx8", 1, 8, EDX},     {"cmov", 1, 15, EDX},
    {"mmx", 1, 23, EDX},     {"fxsr", 1, 24, EDX},    {"sse", 1, 25, EDX},    {"sse2", 1, 26, EDX},
    {"sse3", 1, 0, ECX},     {"pclmul", 1, 1, ECX},   {"ssse3", 1, 9, ECX},   {"fma", 1, 12, ECX},
    {"cx16", 1, 13, ECX},    {"sse4.1", 1, 19, ECX},  {"sse4.2", 1, 20, ECX}, {"movbe", 1, 22, ECX},
    {"popcnt", 1, 23, ECX},  {"aes", 1, 25, ECX},     {"xsave", 1, 26, ECX},  {"avx", 1, 28, ECX},
    {"f16c", 1, 29, ECX},    {"rdrand", 1, 30, ECX},  {"bmi1", 7, 3, EBX},    {"avx2", 7, 5, EBX},
    {"bmi2", 7, 8, EBX},     {"rdseed", 7, 18, EBX},  {"adx", 7, 19, EBX},    {"sha", 7, 29, EBX},
    {"avx512f", 7, 16, EBX},
};

static void print_processor(void) {
  unsigned a, b, c, d;
  char vendor[13] = "", brand[49] = "";
  __cpuid(0, a, b, c, d);
  memcpy(vendor, &b, 4);
  memcpy(vendor + 4, &d, 4);
  memcpy(vendor + 8, &c, 4);
  __cpuid(0x80000000u, a, b, c, d);
  if (a >= 0x80000004u)
    for (unsigned i = 0; i < 3; i++) {
      __cpuid(0x80000002u + i, a, b, c, d);
      memcpy(brand + 16 * i, &a, 4);
      memcpy(brand + 16 * i + 4, &b, 4);
      memcpy(brand + 16 * i + 8, &c, 4);
      memcpy(brand + 16 * i + 12, &d, 4);
    }
  printf("Processor  %s", vendor);
  if (brand[0]) printf(", %s", brand + strspn(brand, " "));
  printf("\nFeatures  ");
  for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
    const struct feature *f = &features[i];
    if (!__get_cpuid_count(f->leaf, 0, &a, &b, &c, &d)) continue;
    unsigned reg = f->reg == EBX ? b : f->reg == ECX ? c : d;
    if (reg >> f->bit & 1) printf(" %s", f->name);
  }
  printf("\nProcessors %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    printf("usage: sysinfo\nShows the machine as a program sees it.\n");
    return 0;
  }
  struct utsname system;
  if (uname(&system) != 0) {
    perror("sysinfo: uname");
    return 1;
  }
  printf("System     %s %s %s\n", system.sysname, system.release, system.machine);
  printf("Version    %s\n", system.version);
  printf("Host name  %s\n", system.nodename);
  print_processor();

  struct sysinfo memory;
  if (sysinfo(&memory) != 0) {
    perror("sysinfo: sysinfo");
    return 1;
  }
  printf("Memory     %llu MiB, %llu MiB free\n", (unsigned long long)memory.totalram * memory.mem_unit >> 20,
         (unsigned long long)memory.freeram * memory.mem_unit >> 20);
  printf("Page size  %ld\n", sysconf(_SC_PAGESIZE));
  printf("Up for     %ld s\n", memory.uptime);

  time_t now = time(NULL);
  char text[64];
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", gmtime(&now));
  printf("Time       %s\n", text);

  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    printf("Terminal   %d columns, %d rows\n", size.ws_col, size.ws_row);
  else
    printf("Terminal   none\n");
  return 0;
}
