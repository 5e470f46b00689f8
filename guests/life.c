/* life: Conway's Game of Life on the whole terminal, until a key is pressed. */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COLUMNS = 512, MAX_ROWS = 512 };

static uint8_t cells[2][MAX_ROWS][MAX_COLUMNS];
static int columns = 80, rows = 48; /* two rows of cells to a line of text */
static struct termios saved;
static int restore;
static volatile sig_atomic_t resized;

static void on_resize(int signal_number) {
  (void)signal_number;
  resized = 1;
}

static void leave(void) {
  if (restore) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
  fputs("\033[0m\033[?25h\n", stdout);
  fflush(stdout);
}

static void on_signal(int signal_number) {
  static const char show_cursor[] = "\033[0m\033[?25h\n";
  if (restore) tcsetattr(STDIN_FILENO, TCSANOW, &saved);
  if (write(STDOUT_FILENO, show_cursor, sizeof show_cursor - 1) < 0) _exit(1);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static void measure(void) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return;
  columns = size.ws_col < MAX_COLUMNS ? size.ws_col : MAX_COLUMNS;
  rows = 2 * (size.ws_row - 1) < MAX_ROWS ? 2 * (size.ws_row - 1) : MAX_ROWS;
  if (rows < 2) rows = 2;
}

static uint64_t seed = 88172645463325252ull;
static uint64_t next_random(void) { /* xorshift64, Marsaglia 2003 */
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static int step(int now) {
  int alive = 0;
  for (int r = 0; r < rows; r++) {
    const uint8_t *up = cells[now][(r + rows - 1) % rows], *here = cells[now][r], *down = cells[now][(r + 1) % rows];
    for (int c = 0; c < columns; c++) {
      int left = (c + columns - 1) % columns, right = (c + 1) % columns;
      int neighbours = up[left] + up[c] + up[right] + here[left] + here[right] + down[left] + down[c] + down[right];
      alive += cells[!now][r][c] = neighbours == 3 || (neighbours == 2 && here[c]);
    }
  }
  return alive;
}

static void draw(int now, int generation, int alive) {
  static const char *const glyphs[] = {" ", "\u2584", "\u2580", "\u2588"};
  fputs("\033[H\033[32m", stdout);
  for (int r = 0; r + 1 < rows; r += 2) {
    for (int c = 0; c < columns; c++) fputs(glyphs[2 * cells[now][r][c] + cells[now][r + 1][c]], stdout);
    fputs("\r\n", stdout);
  }
  printf("\033[0mgeneration %d, %d alive; any key ends\033[K", generation, alive);
  fflush(stdout);
}

static void usage(FILE *out) {
  fprintf(out, "usage: life [-n GENERATIONS] [-d MILLISECONDS] [-s SEED]\n"
               "Conway's Game of Life on the whole terminal, until a key is pressed.\n");
}

int main(int argc, char **argv) {
  int generations = -1, delay = 60, option;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    usage(stdout);
    return 0;
  }
  while ((option = getopt(argc, argv, "n:d:s:")) != -1) switch (option) {
      case 'n': generations = atoi(optarg); break;
      case 'd': delay = atoi(optarg); break;
      case 's': seed ^= strtoull(optarg, NULL, 0); break;
      default: usage(stderr); return 2;
    }
  measure();
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) cells[0][r][c] = next_random() % 4 == 0;

  if (tcgetattr(STDIN_FILENO, &saved) == 0) {
    struct termios raw = saved;
    raw.c_lflag &= ~(ICANON | ECHO);
    restore = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  atexit(leave);
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  signal(SIGWINCH, on_resize);
  fputs("\033[2J\033[?25l", stdout);

  int now = 0, alive = 0;
  for (int generation = 0; generations < 0 || generation < generations; generation++, now = !now) {
    if (resized) {
      resized = 0;
      measure();
      fputs("\033[2J", stdout);
    }
    alive = step(now);
    draw(!now, generation + 1, alive);
    struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
    if (restore) {
      char c;
      if (poll(&key, 1, delay) > 0 && read(STDIN_FILENO, &c, 1) >= 0) break;
    } else {
      nanosleep(&(struct timespec){delay / 1000, delay % 1000 * 1000000L}, NULL);
    }
  }
  return 0;
}
