/* Pseudo-terminals: pairs, canonical and raw mode, window size, signals, packet mode, hanging up. */
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <termios.h>

static int m, s;
static int caught[65];
static void on_signal(int n) { caught[n]++; }

static int events(int fd) {
  usleep(5000);
  struct pollfd f = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
  poll(&f, 1, 0);
  return f.revents;
}

/* Reads what is there, after the kernel has had time to pass it on, and prints it. */
static void show(int line, int fd, const char *who) {
  char buffer[4096];
  usleep(5000);
  long n = read(fd, buffer, sizeof buffer);
  printf("%d: %s %ld %s\"", line, who, n, n < 0 ? error_name(errno) : "");
  for (long i = 0; i < n; i++) {
    unsigned char c = buffer[i];
    if (c < 32 || c > 126) printf("\\x%02x", c);
    else putchar(c);
  }
  puts("\"");
  fflush(stdout);
}
#define M() show(__LINE__, m, "master")
#define S() show(__LINE__, s, "slave")
static void keys(const char *text) { write(m, text, strlen(text)); usleep(5000); }

static void *typist(void *arg) {
  for (const char *c = arg; *c; c++) {
    usleep(40000);
    write(m, c, 1);
  }
  return NULL;
}

static void raw(int min, int time) {
  struct termios t;
  tcgetattr(s, &t);
  cfmakeraw(&t);
  t.c_cc[VMIN] = min;
  t.c_cc[VTIME] = time;
  tcsetattr(s, TCSANOW, &t);
}

static long elapsed_read(int want) {
  struct timeval a, b;
  char buffer[64];
  gettimeofday(&a, NULL);
  R(read(s, buffer, want));
  gettimeofday(&b, NULL);
  return (b.tv_sec - a.tv_sec) * 1000 + (b.tv_usec - a.tv_usec) / 1000;
}

int main(void) {
  struct termios t, saved;
  struct winsize w;
  struct stat st;
  char name[64];
  int n;
  pthread_t thread;
  for (int i = 1; i < 32; i++)
    if (i != SIGSEGV) signal(i, on_signal);
  setsid();

  SECTION("pair");
  m = posix_openpt(O_RDWR | O_NOCTTY);
  V(m >= 0);
  R(ptsname_r(m, name, sizeof name));
  R(open(name, O_RDWR | O_NOCTTY));
  R(ioctl(m, TIOCGPTLCK, &n)); V(n);
  R(grantpt(m)); R(unlockpt(m));
  V(events(m));
  s = open(name, O_RDWR | O_NOCTTY);
  V(s >= 0);
  V(isatty(m)); V(isatty(s)); R(fstat(s, &st)); V(S_ISCHR(st.st_mode)); V(st.st_rdev >> 8);
  char real[64];
  R(ttyname_r(s, real, sizeof real)); V(strcmp(name, real));
  V(events(m)); V(events(s));
  fcntl(m, F_SETFL, O_NONBLOCK); fcntl(s, F_SETFL, O_NONBLOCK);

  SECTION("attributes");
  R(tcgetattr(s, &t)); saved = t;
  printf("%x %x %x %x\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
  for (n = 0; n < 17; n++) printf("%d ", t.c_cc[n]);
  puts("");
  V(cfgetospeed(&t) == B38400);
  cfsetspeed(&t, B9600); t.c_cflag = (t.c_cflag & ~CSIZE) | CS7 | PARENB; R(tcsetattr(s, TCSADRAIN, &t));
  R(tcgetattr(m, &t)); V(cfgetispeed(&t) == B9600); V((t.c_cflag & CSIZE) == CS8); V(t.c_cflag & PARENB);
  R(ioctl(s, TCGETS, 8)); R(ioctl(s, 0x12345678, 0));
  R(tcsetattr(s, TCSANOW, &saved));

  SECTION("canonical");
  R(write(s, "out\n", 4)); M(); M();
  S(); keys("ab"); V(events(s)); S(); M();
  keys("c\x7f" "d\r"); M(); V(events(s)); R(ioctl(s, FIONREAD, &n)); V(n); S(); S();
  keys("one\ntwo\n"); M(); S(); S();
  keys("part\x04"); S(); keys("\x04"); S(); M();
  R(tcflush(s, 99)); keys("gone\n"); R(tcflush(s, TCIFLUSH)); S(); M();

  SECTION("window size");
  R(ioctl(s, TIOCGWINSZ, &w)); V(w.ws_row); V(w.ws_col);
  w.ws_row = 50; w.ws_col = 132; w.ws_xpixel = 7; R(ioctl(m, TIOCSWINSZ, &w));
  memset(&w, 0, sizeof w); R(ioctl(s, TIOCGWINSZ, &w)); V(w.ws_row); V(w.ws_col); V(w.ws_xpixel);

  SECTION("controlling terminal");
  R(tcgetpgrp(s)); R(tcgetsid(s)); R(tcsetpgrp(s, getpgrp()));
  R(open("/dev/tty", O_RDWR));
  R(ioctl(s, TIOCSCTTY, 0)); R(ioctl(s, TIOCSCTTY, 0));
  V(tcgetpgrp(s) == getpgrp()); V(tcgetpgrp(m) == getpgrp()); V(tcgetsid(s) == getsid(0)); V(tcgetsid(m) == getsid(0));
  R(tcsetpgrp(s, -1)); R(tcsetpgrp(s, 9999999));
  int tty = open("/dev/tty", O_RDWR | O_NONBLOCK);
  V(tty >= 0); R(write(tty, "via tty", 7)); M();
  w.ws_row = 51; ioctl(m, TIOCSWINSZ, &w); V(caught[SIGWINCH]); ioctl(m, TIOCSWINSZ, &w); V(caught[SIGWINCH]);
  keys("typed\x03"); V(caught[SIGINT]); S(); M();
  keys("\x1c\x1a"); V(caught[SIGQUIT]); V(caught[SIGTSTP]); M();
  t = saved; t.c_lflag |= NOFLSH; tcsetattr(s, TCSANOW, &t); keys("kept\x03\n"); V(caught[SIGINT]); S(); M();
  t = saved; t.c_lflag &= ~ISIG; tcsetattr(s, TCSANOW, &t); keys("\x03\n"); V(caught[SIGINT]); S(); M();
  R(ioctl(m, TIOCSIG, SIGUSR1)); V(caught[SIGUSR1]);
  tcsetattr(s, TCSANOW, &saved);

  SECTION("flow");
  keys("\x13"); R(write(s, "held", 4)); V(events(s)); M(); keys("\x11"); R(write(s, "go", 2)); M();
  R(tcflow(s, TCOOFF)); R(write(s, "held", 4)); keys("\x11"); M(); R(tcflow(s, TCOON)); R(write(s, "on", 2)); M();
  R(tcflow(s, TCIOFF)); M(); R(tcflow(s, 99));

  SECTION("raw");
  fcntl(s, F_SETFL, 0);
  raw(0, 0); V(elapsed_read(10) < 20);
  keys("\r\n\x03\x04"); S(); M();
  raw(0, 1); long ms = elapsed_read(10); V(ms >= 90 && ms < 300);
  raw(3, 0); pthread_create(&thread, NULL, typist, "abcdef"); ms = elapsed_read(10); V(ms >= 100); pthread_join(thread, NULL); S();
  raw(3, 0); keys("ab"); V(events(s) & POLLIN); keys("c"); V(events(s) & POLLIN); S();
  raw(10, 2); pthread_create(&thread, NULL, typist, "ab"); ms = elapsed_read(10); V(ms >= 250 && ms < 800); pthread_join(thread, NULL);
  raw(2, 0); keys("abcdef"); R(read(s, name, 1)); raw(1, 0); S();
  keys("raw"); tcsetattr(s, TCSANOW, &saved); fcntl(s, F_SETFL, O_NONBLOCK); V(events(s) & POLLIN); S(); keys("\n"); S(); M();

  SECTION("packets");
  n = 1; R(ioctl(m, TIOCPKT, &n)); R(ioctl(m, TIOCGPKT, &n)); V(n);
  write(s, "data", 4); M(); M();
  tcflush(s, TCIFLUSH); V(events(m)); M(); tcflush(s, TCOFLUSH); M();
  tcflow(s, TCOOFF); M(); tcflow(s, TCOON); M();
  t = saved; t.c_iflag &= ~IXON; tcsetattr(s, TCSANOW, &t); M(); tcsetattr(s, TCSANOW, &saved); M();
  n = 0; R(ioctl(m, TIOCPKT, &n)); write(s, "plain", 5); M();

  SECTION("closing");
  int peer = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  V(peer >= 0); write(peer, "peer", 4); M(); close(peer);
  V(events(m)); write(s, "last", 4); close(s); close(tty); V(events(m)); M(); M(); R(write(m, "x", 1));
  ptsname_r(m, name, sizeof name);
  s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK); V(s >= 0); V(events(m)); M();
  close(m); V(caught[SIGHUP]); V(caught[SIGCONT]); V(events(s)); S(); R(write(s, "x", 1)); R(tcgetattr(s, &t));
  R(open("/dev/tty", O_RDWR)); R(open(name, O_RDWR));
  return 0;
}
