// What a program finds when it starts: arguments, environment, auxiliary vector, registers, memory.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fenv.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;
static char zeros[10000];
static int initialised = 12345;

static const char *symbol_name(const char *strings, Elf64_Sym *symbols, int index) { return strings + symbols[index].st_name; }

// Finds a function of the vDSO as C libraries do.
static void *vdso_function(const char *wanted) {
  char *base = (char *)getauxval(AT_SYSINFO_EHDR);
  if (base == NULL) return NULL;
  Elf64_Ehdr *header = (Elf64_Ehdr *)base;
  Elf64_Phdr *segments = (Elf64_Phdr *)(base + header->e_phoff);
  Elf64_Dyn *dynamic = NULL;
  intptr_t bias = 0;
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD) bias = (intptr_t)base + segments[i].p_offset - segments[i].p_vaddr;
    if (segments[i].p_type == PT_DYNAMIC) dynamic = (Elf64_Dyn *)(base + segments[i].p_offset);
  }
  const char *strings = NULL;
  Elf64_Sym *symbols = NULL;
  uint32_t *hash = NULL;
  for (Elf64_Dyn *entry = dynamic; entry != NULL && entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_STRTAB) strings = (char *)(bias + entry->d_un.d_ptr);
    if (entry->d_tag == DT_SYMTAB) symbols = (Elf64_Sym *)(bias + entry->d_un.d_ptr);
    if (entry->d_tag == DT_HASH) hash = (uint32_t *)(bias + entry->d_un.d_ptr);
  }
  if (strings == NULL || symbols == NULL || hash == NULL) return NULL;
  for (uint32_t i = 1; i < hash[1]; i++) {
    if (strcmp(symbol_name(strings, symbols, i), wanted) == 0) return (void *)(bias + symbols[i].st_value);
  }
  return NULL;
}

int main(int count, char **arguments, char **environment) {
  printf("arguments %d terminated %d\n", count, arguments[count] == NULL);
  printf("environment follows %d %d\n", environment == arguments + count + 1, environment == environ);
  char **end = environment;
  while (*end != NULL) end++;
  Elf64_auxv_t *vector = (Elf64_auxv_t *)(end + 1);
  int known[64] = {0};
  for (Elf64_auxv_t *entry = vector; entry->a_type != AT_NULL; entry++) if (entry->a_type < 64) known[entry->a_type] = 1;
  int keys[] = {AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID,
                AT_SECURE, AT_RANDOM, AT_HWCAP, AT_HWCAP2, AT_CLKTCK, AT_PLATFORM, AT_EXECFN, AT_SYSINFO_EHDR, 51};
  for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) printf("AT %d: %d\n", keys[i], known[keys[i]]);
  Elf64_Phdr *segments = (Elf64_Phdr *)getauxval(AT_PHDR);
  int loads = 0, tls = 0;
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
    loads += segments[i].p_type == PT_LOAD;
    tls += segments[i].p_type == PT_TLS;
  }
  printf("segments %lu loads %d tls %d entry %lu\n", getauxval(AT_PHNUM), loads, tls, getauxval(AT_PHENT));
  printf("page %lu ticks %lu base %lu secure %lu\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_BASE), getauxval(AT_SECURE));
  printf("platform %s\n", (char *)getauxval(AT_PLATFORM));
  printf("name %s\n", strcmp((char *)getauxval(AT_EXECFN), arguments[0]) == 0 ? "is argv[0]" : (char *)getauxval(AT_EXECFN));
  unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
  int different = 0;
  for (int i = 1; i < 16; i++) different |= random[i] != random[0];
  printf("random %d\n", different);
  printf("strings above the vectors %d\n", (char *)arguments[0] > (char *)vector);
  printf("vdso: %d%d%d%d%d%d\n", vdso_function("__vdso_clock_gettime") != NULL, vdso_function("__vdso_gettimeofday") != NULL,
         vdso_function("__vdso_time") != NULL, vdso_function("__vdso_getcpu") != NULL,
         vdso_function("__vdso_clock_getres") != NULL, vdso_function("__vdso_nothing") != NULL);
  long (*vdso_time)(long *) = (long (*)(long *))vdso_function("__vdso_time");
  printf("vdso time %d\n", vdso_time != NULL && vdso_time(NULL) > 1600000000);
  int zero = 1;
  for (unsigned i = 0; i < sizeof zeros; i++) zero &= zeros[i] == 0;
  printf("bss %d data %d\n", zero, initialised);
  unsigned mxcsr;
  unsigned short control;
  __asm__("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
  printf("mxcsr %x control %x round %d\n", mxcsr & ~0x3f, control, fegetround());
  unsigned long flags;
  __asm__("pushfq; pop %0" : "=r"(flags));
  printf("direction %lu\n", flags >> 10 & 1);
  unsigned short cs, ss, ds;
  __asm__("mov %%cs, %0; mov %%ss, %1; mov %%ds, %2" : "=r"(cs), "=r"(ss), "=r"(ds));
  printf("cs %x ss %x ds %x\n", cs, ss, ds);
  struct utsname name;
  uname(&name);
  printf("%s %s\n", name.sysname, name.machine);
  printf("processors %ld\n", sysconf(_SC_NPROCESSORS_ONLN) >= 1 ? 1L : 0L);
  return 0;
}
