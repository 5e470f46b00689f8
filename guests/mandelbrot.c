/* mandelbrot: the Mandelbrot set in 256 colours, two pixels to a character cell. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static double centre_x = -0.75, centre_y = 0, width_of_view = 3.2;
static int iterations = 200;

/* xterm's colour cube, 16..231, walked along a smooth path. */
static int colour_of(double smooth) {
  double t = fmod(smooth * 0.035, 1.0);
  double red = 0.5 + 0.5 * cos(6.2831853 * (t + 0.55));
  double green = 0.5 + 0.5 * cos(6.2831853 * (t + 0.40));
  double blue = 0.5 + 0.5 * cos(6.2831853 * (t + 0.25));
  return 16 + 36 * (int)(red * 5.999) + 6 * (int)(green * 5.999) + (int)(blue * 5.999);
}

static int colour_at(double cx, double cy) {
  double x = 0, y = 0;
  for (int i = 0; i < iterations; i++) {
    double xx = x * x, yy = y * y;
    if (xx + yy > 256) return colour_of(i + 1 - log2(log2(xx + yy) / 2));
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 16;
}

static void usage(FILE *out) {
  fprintf(out, "usage: mandelbrot [-c COLUMNS] [-r ROWS] [-x X] [-y Y] [-w WIDTH] [-i ITERATIONS]\n"
               "Draws the Mandelbrot set around X, Y; WIDTH is that of the view.\n"
               "A detail: mandelbrot -x -0.7435 -y 0.1314 -w 0.01 -i 800\n");
}

int main(int argc, char **argv) {
  struct winsize size = {.ws_col = 80, .ws_row = 25};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    size.ws_col = 80;
    size.ws_row = 25;
  }
  int columns = size.ws_col, rows = size.ws_row - 1, option;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    usage(stdout);
    return 0;
  }
  while ((option = getopt(argc, argv, "c:r:x:y:w:i:")) != -1) switch (option) {
      case 'c': columns = atoi(optarg); break;
      case 'r': rows = atoi(optarg); break;
      case 'x': centre_x = atof(optarg); break;
      case 'y': centre_y = atof(optarg); break;
      case 'w': width_of_view = atof(optarg); break;
      case 'i': iterations = atoi(optarg); break;
      default: usage(stderr); return 2;
    }
  if (columns < 1 || rows < 1 || iterations < 1) {
    usage(stderr);
    return 2;
  }
  double pixel = width_of_view / columns;
  for (int row = 0; row < rows; row++) {
    int background = -1, foreground = -1;
    for (int column = 0; column < columns; column++) {
      double cx = centre_x + (column - columns / 2.0) * pixel;
      int top = colour_at(cx, centre_y + (rows - 2 * row) * pixel);
      int bottom = colour_at(cx, centre_y + (rows - 2 * row - 1) * pixel);
      if (top != foreground) printf("\033[38;5;%dm", foreground = top);
      if (bottom != background) printf("\033[48;5;%dm", background = bottom);
      fputs("\u2580", stdout); /* upper half block */
    }
    puts("\033[0m");
  }
  return 0;
}
