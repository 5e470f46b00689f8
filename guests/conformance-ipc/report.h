/* Prints the result of each call with its line: "12: pipe2(...) = 0" or "= -1 EAGAIN". */
#ifndef REPORT_H
#define REPORT_H
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *error_name(int e) {
  static const struct { int e; const char *name; } names[] = {
      {EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {EINTR, "EINTR"}, {EIO, "EIO"}, {ENXIO, "ENXIO"}, {EBADF, "EBADF"},
      {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"}, {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"},
      {EEXIST, "EEXIST"}, {ENOTDIR, "ENOTDIR"}, {EINVAL, "EINVAL"}, {ENOTTY, "ENOTTY"}, {ESPIPE, "ESPIPE"},
      {EPIPE, "EPIPE"}, {ELOOP, "ELOOP"}, {ENOTSOCK, "ENOTSOCK"}, {EDESTADDRREQ, "EDESTADDRREQ"},
      {EMSGSIZE, "EMSGSIZE"}, {EPROTOTYPE, "EPROTOTYPE"}, {ENOPROTOOPT, "ENOPROTOOPT"},
      {EPROTONOSUPPORT, "EPROTONOSUPPORT"}, {ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"}, {EOPNOTSUPP, "EOPNOTSUPP"},
      {EAFNOSUPPORT, "EAFNOSUPPORT"}, {EADDRINUSE, "EADDRINUSE"}, {ECONNRESET, "ECONNRESET"}, {EISCONN, "EISCONN"},
      {ENOTCONN, "ENOTCONN"}, {ECONNREFUSED, "ECONNREFUSED"}, {ETIMEDOUT, "ETIMEDOUT"}, {EMFILE, "EMFILE"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].e == e) return names[i].name;
  return "E?";
}

static long report(int line, const char *what, long result) {
  if (result == -1) printf("%d: %s = -1 %s\n", line, what, error_name(errno));
  else printf("%d: %s = %ld\n", line, what, result);
  fflush(stdout);
  return result;
}

/* The call as written and its result. */
#define R(call) report(__LINE__, #call, (long)(call))
/* A value with its expression. */
#define V(value) (printf("%d: %s: %ld\n", __LINE__, #value, (long)(value)), fflush(stdout))
#define SECTION(name) (printf("-- %s\n", name), fflush(stdout))
#endif
