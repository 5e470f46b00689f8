// mmap and its family.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#endif

static sigjmp_buf jump;
static void fault(int signal) { siglongjmp(jump, signal); }

static int can_read(volatile char *address) {
  if (sigsetjmp(jump, 1) != 0) return 0;
  (void)*address;
  return 1;
}

static int can_write(volatile char *address) {
  if (sigsetjmp(jump, 1) != 0) return 0;
  *address = *address;
  return 1;
}

static void check(const char *what, int result) {
  if (result == 0) printf("%s: ok\n", what);
  else printf("%s: %s\n", what, strerror(errno));
}

static void show(const char *what, void *address) {
  if (address == MAP_FAILED) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: ok\n", what);
}

static int descend(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth == 0 ? 0 : descend(depth - 1) + (frame[0] == (char)depth);
}

int main(void) {
  signal(SIGSEGV, fault);
  signal(SIGBUS, fault);
  int anonymous = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
  char *map = mmap(NULL, 8 * PAGE, rw, anonymous, -1, 0);
  int zero = 1;
  for (int i = 0; i < 8 * PAGE; i++) zero &= map[i] == 0;
  printf("zero %d aligned %d\n", zero, (uintptr_t)map % PAGE == 0);
  memset(map, 7, 8 * PAGE);
  check("unmap the middle", munmap(map + 2 * PAGE, 2 * PAGE));
  printf("%d%d%d%d%d\n", can_read(map), can_read(map + 2 * PAGE), can_read(map + 3 * PAGE), can_read(map + 4 * PAGE), map[5 * PAGE]);
  check("protect", mprotect(map + 4 * PAGE, PAGE, PROT_READ));
  printf("%d%d%d\n", can_read(map + 4 * PAGE), can_write(map + 4 * PAGE), can_write(map + 5 * PAGE));
  check("protect a hole", mprotect(map, 8 * PAGE, PROT_READ));
  printf("%d%d\n", can_write(map), can_write(map + 5 * PAGE));
  check("unaligned protect", mprotect(map + 1, PAGE, PROT_READ));
  check("unaligned unmap", munmap(map + 1, PAGE));
  check("empty unmap", munmap(map, 0));
  check("unmap all", munmap(map, 8 * PAGE));
  check("unmap again", munmap(map, 8 * PAGE));

  show("no length", mmap(NULL, 0, rw, anonymous, -1, 0));
  show("no type", mmap(NULL, PAGE, rw, MAP_ANONYMOUS, -1, 0));
  show("bad descriptor", mmap(NULL, PAGE, rw, MAP_PRIVATE, 99, 0));
  show("too much", mmap(NULL, (size_t)1 << 50, rw, anonymous, -1, 0));
  show("reserve 64 GiB", map = mmap(NULL, (size_t)64 << 30, PROT_NONE, anonymous | MAP_NORESERVE, -1, 0));
  check("use a little", mprotect(map + ((size_t)33 << 30), PAGE, rw));
  map[(size_t)33 << 30] = 5;
  check("give it back", munmap(map, (size_t)64 << 30));

  map = mmap(NULL, 4 * PAGE, rw, anonymous, -1, 0);
  char *fixed = mmap(map + PAGE, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0);
  printf("fixed %d\n", fixed == map + PAGE);
  show("fixed, occupied", mmap(map, PAGE, rw, anonymous | MAP_FIXED_NOREPLACE, -1, 0));
  printf("%d%d%d\n", can_write(map), can_write(map + PAGE), can_write(map + 2 * PAGE));
  munmap(map, 4 * PAGE);
  char *hinted = mmap(map, PAGE, rw, anonymous, -1, 0);
  printf("hint taken %d\n", hinted == map);
  munmap(hinted, PAGE);
  map = mmap(NULL, PAGE, rw, anonymous | MAP_32BIT, -1, 0);
  printf("low %d\n", (uintptr_t)map < 0x100000000);
  munmap(map, PAGE);

  // mremap
  map = mmap(NULL, 4 * PAGE, rw, anonymous, -1, 0);
  for (int i = 0; i < 4; i++) map[i * PAGE] = 'a' + i;
  char *moved = mremap(map, 4 * PAGE, 2 * PAGE, 0);
  printf("shrink in place %d %d\n", moved == map, can_read(map + 2 * PAGE));
  char *barrier = mmap(map + 2 * PAGE, PAGE, rw, anonymous | MAP_FIXED, -1, 0);
  moved = mremap(map, 2 * PAGE, 16 * PAGE, 0);
  printf("cannot grow %d\n", moved == MAP_FAILED && errno == ENOMEM);
  moved = mremap(map, 2 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
  printf("moved %d %c%c%d old %d\n", moved != map, moved[0], moved[PAGE], moved[15 * PAGE], can_read(map));
  char *target = mmap(NULL, 16 * PAGE, PROT_NONE, anonymous, -1, 0);
  char *there = mremap(moved, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  printf("moved to %d %c\n", there == target, there[PAGE]);
  printf("nothing there %d\n", mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
  munmap(there, 16 * PAGE);
  munmap(barrier, PAGE);

  // madvise
  map = mmap(NULL, 4 * PAGE, rw, anonymous, -1, 0);
  memset(map, 9, 4 * PAGE);
  check("DONTNEED", madvise(map + PAGE, PAGE, MADV_DONTNEED));
  printf("%d %d %d\n", map[0], map[PAGE], map[2 * PAGE]);
  check("bad advice", madvise(map, PAGE, 999));
  munmap(map + PAGE, PAGE);
  check("advise a hole", madvise(map, 4 * PAGE, MADV_DONTNEED));
  unsigned char vector[4];
  check("mincore of a hole", mincore(map, 4 * PAGE, vector));
  map[0] = 1;
  check("mincore", mincore(map, PAGE, vector));
  printf("resident %d\n", vector[0] & 1);
  check("mlock", mlock(map, PAGE));
  check("mlock of a hole", mlock(map, 2 * PAGE));
  check("msync", msync(map, PAGE, MS_SYNC));
  check("msync nonsense", msync(map, PAGE, MS_SYNC | MS_ASYNC));
  munmap(map, 4 * PAGE);

  // Files
  char name[] = "/tmp/conformance-XXXXXX";
  int fd = mkstemp(name);
  if (fd < 0) {
    mkdir("/tmp", 01777);
    strcpy(name, "/tmp/conformance-XXXXXX");
    fd = mkstemp(name);
  }
  unlink(name);
  char block[3 * PAGE];
  for (int i = 0; i < 3 * PAGE; i++) block[i] = (char)(i / 100);
  if (write(fd, block, 2 * PAGE + 100) != 2 * PAGE + 100) puts("write");
  char *private_map = mmap(NULL, 3 * PAGE, rw, MAP_PRIVATE, fd, 0);
  char *shared_map = mmap(NULL, 3 * PAGE, rw, MAP_SHARED, fd, 0);
  char *second = mmap(NULL, PAGE, rw, MAP_SHARED, fd, PAGE);
  printf("same %d tail %d\n", memcmp(private_map, block, 2 * PAGE + 100) == 0, shared_map[2 * PAGE + 100]);
  private_map[10] = 'P';
  shared_map[PAGE + 20] = 'S';
  printf("second sees %c\n", second[20]);
  char byte;
  if (pread(fd, &byte, 1, PAGE + 20) == 1) printf("read sees %c\n", byte);
  if (pread(fd, &byte, 1, 10) == 1) printf("read does not see %d\n", byte);
  if (pwrite(fd, "W", 1, PAGE + 21) == 1) printf("mapping sees %c\n", second[21]);
  check("msync file", msync(shared_map, 3 * PAGE, MS_SYNC));
  if (ftruncate(fd, PAGE) != 0) puts("ftruncate");
  printf("after truncation %d%d\n", can_read(shared_map), can_read(shared_map + PAGE));
  munmap(shared_map, 3 * PAGE);
  munmap(second, PAGE);
  shared_map = mmap(NULL, PAGE, rw, MAP_SHARED, fd, 0);
  shared_map[5] = 'Q';
  munmap(shared_map, PAGE);
  if (pread(fd, &byte, 1, 5) == 1) printf("after unmap %c\n", byte);
  show("unaligned offset", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100));
  show("closed", (close(fd), mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0)));
  fd = open("/dev/zero", O_RDWR);
  map = mmap(NULL, PAGE, rw, MAP_PRIVATE, fd, 0);
  if (map != MAP_FAILED) map[0] = 3;
  show("/dev/zero", map);

  // brk
  char *start = sbrk(0);
  char *more = sbrk(100000);
  printf("brk %d\n", more == (void *)-1 ? 0 : (memset(more, 1, 100000), sbrk(-100000), 1));
  printf("back %d\n", sbrk(0) == start || more == (void *)-1);

  // The stack grows as far as its limit.
  printf("stack %d\n", descend(1500));
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  printf("stack limit %d\n", limit.rlim_cur >= 8 << 20);
  void *block1 = malloc(1 << 20), *block2 = malloc(64 << 20);
  printf("malloc %d\n", block1 != NULL && block2 != NULL);
  memset(block2, 1, 1 << 20);
  block2 = realloc(block2, 128 << 20);
  printf("realloc %d %d\n", block2 != NULL, ((char *)block2)[1000]);
  free(block2);
  free(block1);
  puts("done");
  return 0;
}
