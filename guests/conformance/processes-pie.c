// Applications as processes: posix_spawn, vfork and exec, waiting, exit statuses, groups, signals between them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *self;

static pid_t spawn(char *role, char *argument, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes) {
  char *arguments[] = {self, role, argument, NULL};
  pid_t child = -1;
  int error = posix_spawn(&child, self, actions, attributes, arguments, environ);
  if (error != 0) printf("posix_spawn: %s\n", strerror(error));
  return child;
}

static void describe(const char *what, int status) {
  if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: signal %d\n", what, WTERMSIG(status));
  else if (WIFSTOPPED(status)) printf("%s: stopped %d\n", what, WSTOPSIG(status));
  else if (WIFCONTINUED(status)) printf("%s: continued\n", what);
  else printf("%s: %x\n", what, status);
}

static volatile sig_atomic_t children;
static volatile int child_code, child_status;
static void child_ended(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  child_code = info->si_code;
  child_status = info->si_status;
  children++;
}

static int child(char *role, char *argument) {
  if (strcmp(role, "exit") == 0) return atoi(argument);
  if (strcmp(role, "signal") == 0) {
    raise(atoi(argument));
    return 99;
  }
  if (strcmp(role, "echo") == 0) {
    char line[100];
    ssize_t length = read(0, line, sizeof line);
    for (ssize_t i = 0; i < length; i++) line[i] ^= 0x20;
    return write(1, line, length) == length ? 0 : 1;
  }
  if (strcmp(role, "environment") == 0) return printf("%s %s\n", argument, getenv("CONFORMANCE")) < 0;
  if (strcmp(role, "sleep") == 0) {
    for (;;) pause();
  }
  if (strcmp(role, "group") == 0) return getpgrp() == getpid() ? 11 : 12;
  if (strcmp(role, "open") == 0) return fcntl(atoi(argument), F_GETFD) == -1 ? 21 : 22;
  if (strcmp(role, "ignored") == 0) {
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    int result = action.sa_handler == SIG_IGN;
    sigaction(SIGUSR2, NULL, &action);
    return result * 2 + (action.sa_handler == SIG_DFL);
  }
  return 1;
}

static void nothing(int signal) { (void)signal; }

int main(int count, char **arguments) {
  self = arguments[0];
  if (count > 2) return child(arguments[1], arguments[2]);
  setvbuf(stdout, NULL, _IONBF, 0);
  int status;
  pid_t pid = spawn("exit", "42", NULL, NULL);
  printf("waited for it %d\n", waitpid(pid, &status, 0) == pid);
  describe("exit", status);
  pid = spawn("signal", "15", NULL, NULL);
  waitpid(pid, &status, 0);
  describe("terminated", status);
  pid = spawn("signal", "9", NULL, NULL);
  waitpid(pid, &status, 0);
  describe("killed", status);
  printf("no children %d\n", waitpid(-1, &status, 0) == -1 && errno == ECHILD);

  // A filter between two pipes.
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) return 1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  pid = spawn("echo", "", &actions, NULL);
  if (write(in[1], "HELLO", 5) != 5) return 1;
  char answer[10] = "";
  ssize_t length = read(out[0], answer, sizeof answer);
  waitpid(pid, &status, 0);
  printf("%d bytes %.5s\n", (int)length, answer);
  describe("echo", status);

  setenv("CONFORMANCE", "inherited", 1);
  pid = spawn("environment", "argument", NULL, NULL);
  waitpid(pid, &status, 0);
  describe("environment", status);

  // WNOHANG, kill, stop and continue.
  pid = spawn("sleep", "", NULL, NULL);
  printf("still running %d\n", waitpid(pid, &status, WNOHANG));
  kill(pid, SIGSTOP);
  printf("stopped %d\n", waitpid(pid, &status, WUNTRACED) == pid);
  describe("stop", status);
  kill(pid, SIGCONT);
  printf("continued %d\n", waitpid(pid, &status, WCONTINUED) == pid);
  describe("continue", status);
  kill(pid, SIGTERM);
  siginfo_t info;
  memset(&info, 0, sizeof info);
  printf("waitid %d\n", waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  printf("code %d status %d\n", info.si_code, info.si_status);
  printf("reaped %d\n", waitpid(pid, &status, 0) == pid);
  printf("gone %d\n", kill(pid, 0) == -1 && errno == ESRCH);

  // SIGCHLD
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = child_ended;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
  sigaction(SIGCHLD, &action, NULL);
  pid = spawn("exit", "3", NULL, NULL);
  waitpid(pid, &status, 0);
  printf("SIGCHLD %d code %d status %d\n", (int)children, child_code, child_status);
  signal(SIGCHLD, SIG_IGN);
  pid = spawn("exit", "4", NULL, NULL);
  printf("ignored children leave nothing %d\n", waitpid(pid, &status, 0) == -1 && errno == ECHILD);
  signal(SIGCHLD, SIG_DFL);

  // Attributes: groups, masks, defaults.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid = spawn("group", "", NULL, &attributes);
  waitpid(pid, &status, 0);
  describe("own group", status);
  pid = spawn("group", "", NULL, NULL);
  waitpid(pid, &status, 0);
  describe("same group", status);
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, nothing);
  pid = spawn("ignored", "", NULL, NULL);
  waitpid(pid, &status, 0);
  describe("handlers", status);

  // Descriptors and exec.
  char number[10];
  int kept = dup(1), closed = fcntl(1, F_DUPFD_CLOEXEC, 0);
  snprintf(number, sizeof number, "%d", kept);
  waitpid(spawn("open", number, NULL, NULL), &status, 0);
  describe("kept open", status);
  snprintf(number, sizeof number, "%d", closed);
  waitpid(spawn("open", number, NULL, NULL), &status, 0);
  describe("closed on exec", status);

  pid = vfork();
  if (pid == 0) {
    execl(self, self, "exit", "17", (char *)NULL);
    _exit(127);
  }
  waitpid(pid, &status, 0);
  describe("vfork and exec", status);
  pid = vfork();
  if (pid == 0) {
    execl("/nonexistent/program", "program", (char *)NULL);
    _exit(errno == ENOENT ? 50 : 51);
  }
  waitpid(pid, &status, 0);
  describe("no such program", status);
  pid = vfork();
  if (pid == 0) _exit(33);
  waitpid(pid, &status, 0);
  describe("vfork and exit", status);
  char *none[] = {"x", NULL};
  printf("spawn of nothing: %s\n", strerror(posix_spawn(&pid, "/nonexistent", NULL, NULL, none, environ)));
  printf("a directory: %s\n", (execv("/", none), strerror(errno)));

  // Several at once.
  int sum = 0;
  for (int i = 1; i <= 5; i++) {
    snprintf(number, sizeof number, "%d", i);
    spawn("exit", number, NULL, NULL);
  }
  for (int i = 1; i <= 5; i++) {
    wait(&status);
    sum += WEXITSTATUS(status);
  }
  printf("sum %d\n", sum);
  struct rusage usage;
  printf("rusage %d\n", getrusage(RUSAGE_CHILDREN, &usage));
  puts("done");
  return 0;
}
