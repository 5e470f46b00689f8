// Thousands of random mapping calls in a range of its own: every result and the state of every page must be Linux'.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 48
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static char *const base = (char *)0x20000000000;
static uint32_t state = 12345;

static unsigned below(unsigned limit) {
  state = state * 1664525 + 1013904223;
  return (unsigned)((uint64_t)state * limit >> 32);
}

static int channel[2];

// One character for each page: '.' nothing to read, the first byte as a letter, in capitals if it can be written.
static void show(void) {
  char line[PAGES + 1];
  for (int page = 0; page < PAGES; page++) {
    char *address = base + page * PAGE, byte;
    if (write(channel[1], address, 1) != 1) {
      line[page] = '.';
      continue;
    }
    // The pipe gives the same byte back, if it may go there.
    if (read(channel[0], address, 1) == 1) line[page] = 'A' + *address;
    else {
      if (read(channel[0], &byte, 1) != 1) byte = 25;
      line[page] = 'a' + byte;
    }
  }
  line[PAGES] = 0;
  puts(line);
}

static void result(const char *call, intptr_t value) {
  if (value == -1) printf("%s %s\n", call, strerror(errno));
  else if (value >= (intptr_t)base) printf("%s +%ld\n", call, (long)(value - (intptr_t)base) / PAGE);
  else printf("%s %ld\n", call, (long)value);
}

int main(void) {
  if (pipe(channel) != 0) return 1;
  int prots[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC, PROT_EXEC};
  unsigned char vector[PAGES];
  for (int step = 0; step < 4000; step++) {
    unsigned page = below(PAGES), count = 1 + below(below(4) == 0 ? PAGES : 6);
    if (page + count > PAGES) count = PAGES - page;
    char *address = base + page * PAGE;
    size_t length = count * PAGE - (below(8) == 0 ? below(PAGE) : 0);
    int prot = prots[below(6)];
    switch (below(10)) {
      case 0:
      case 1:
        result("mmap", (intptr_t)mmap(address, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        break;
      case 2:
        result("mmap new", (intptr_t)mmap(address, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
        break;
      case 3:
        result("munmap", munmap(address, length));
        break;
      case 4:
      case 5:
        result("mprotect", mprotect(address, length, prot));
        break;
      case 6:
        // Growing starts from one page only: whether neighbours are one area depends on their history on Linux.
        if (below(2)) result("mremap", (intptr_t)mremap(address, PAGE, (1 + below(8)) * PAGE, 0));
        else result("mremap", (intptr_t)mremap(address, length, PAGE, 0));
        break;
      case 7: {
        unsigned target = below(PAGES - 8);
        size_t size = (1 + below(8)) * PAGE;
        // Of one page only: since Linux 6.17 several areas can be moved at once. And of overlapping ranges and missing
        // sources either may be reported.
        if (target <= page && page < target + size / PAGE) break;
        result("mremap to", (intptr_t)mremap(address, PAGE, size, MREMAP_MAYMOVE | MREMAP_FIXED, base + target * PAGE));
        break;
      }
      case 8:
        result("madvise", madvise(address, length, below(2) ? MADV_DONTNEED : MADV_NORMAL));
        break;
      case 9:
        result("mincore", mincore(address, length, vector));
        result("msync", msync(address, length, MS_ASYNC));
        result("mlock", mlock(address, length));
        result("munlock", munlock(address, length));
        break;
    }
    // Beyond the range nothing may stay: mremap can have grown over its end.
    munmap(base + PAGES * PAGE, 16 * PAGE);
    // Marks some pages, where it can.
    for (int mark = 0; mark < 3; mark++) {
      char value = (char)below(24);
      if (write(channel[1], &value, 1) == 1 && read(channel[0], base + below(PAGES) * PAGE, 1) != 1) {
        if (read(channel[0], &value, 1) != 1) return 2;
      }
    }
    if (step % 8 == 0) show();
  }
  puts("done");
  return 0;
}
