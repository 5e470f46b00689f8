/* hello: says hello. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    printf("usage: hello [NAME]\nSays hello, and from where.\n");
    return 0;
  }
  struct utsname system;
  if (uname(&system) != 0) {
    perror("hello: uname");
    return 1;
  }
  printf("Hello, %s, from %s on %s!\n", argc > 1 ? argv[1] : "world", system.sysname, system.machine);
  return 0;
}
