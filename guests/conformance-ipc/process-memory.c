// process_vm_readv and process_vm_writev: counts, pieces that do not match, memory that is not there, errors.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: %ld\n", what, result);
}

int main(void) {
  char from[100], to[100];
  for (int i = 0; i < 100; i++) from[i] = i;
  memset(to, 0, sizeof to);
  pid_t me = getpid();
  struct iovec local[] = {{to, 10}, {to + 20, 0}, {to + 30, 25}};
  struct iovec remote[] = {{from, 3}, {from + 50, 20}, {from + 90, 10}};
  show("read", process_vm_readv(me, local, 3, remote, 3, 0));
  for (int i = 0; i < 60; i++) printf("%d%c", to[i], i % 20 == 19 ? '\n' : ' ');
  show("less remote", process_vm_readv(me, local, 3, remote, 1, 0));
  show("less local", process_vm_readv(me, local, 1, remote, 3, 0));
  memset(from, 0, sizeof from);
  show("write", process_vm_writev(me, local, 3, remote, 3, 0));
  for (int i = 0; i < 100; i++) printf("%d%c", from[i], i % 20 == 19 ? '\n' : ' ');

  char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *other = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(pages, 'x', 3 * 4096);
  munmap(pages + 8192, 4096);
  struct iovec all = {other, 3 * 4096}, hole = {pages + 100, 3 * 4096 - 100};
  show("up to a hole", process_vm_readv(me, &all, 1, &hole, 1, 0));
  printf("%c %d\n", other[8192 - 101], other[8192 - 100]);
  hole.iov_base = pages + 8192;
  hole.iov_len = 4096;
  show("a hole", process_vm_readv(me, &all, 1, &hole, 1, 0));
  show("into a hole", process_vm_writev(me, &all, 1, &hole, 1, 0));

  show("nobody", process_vm_readv(1 << 22, local, 1, remote, 1, 0));
  show("nothing of nobody", process_vm_readv(1 << 22, local, 0, remote, 1, 0));
  show("nothing there of nobody", process_vm_readv(1 << 22, local, 1, remote, 0, 0));
  show("flags", process_vm_readv(me, local, 1, remote, 1, 1));
  show("too many", process_vm_readv(me, local, 1025, remote, 1, 0));
  show("too many there", process_vm_readv(me, local, 1, remote, 1025, 0));
  show("list nowhere", process_vm_readv(me, (struct iovec *)16, 1, remote, 1, 0));
  show("list there nowhere", process_vm_readv(me, local, 1, (struct iovec *)16, 1, 0));
  local[0].iov_len = -1;
  show("negative", process_vm_readv(me, local, 1, remote, 1, 0));
  return 0;
}
