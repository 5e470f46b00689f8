// setjmp, long double printing and reading, the floating-point environment.
#define _GNU_SOURCE
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf jump;
static void deep(int level) {
  if (level == 0) longjmp(jump, 77);
  deep(level - 1);
}

static void show_exceptions(const char *what) {
  printf("%s:%s%s%s%s%s\n", what, fetestexcept(FE_INVALID) ? " invalid" : "", fetestexcept(FE_DIVBYZERO) ? " divide" : "",
         fetestexcept(FE_OVERFLOW) ? " overflow" : "", fetestexcept(FE_UNDERFLOW) ? " underflow" : "",
         fetestexcept(FE_INEXACT) ? " inexact" : "");
  feclearexcept(FE_ALL_EXCEPT);
}

#ifdef __GLIBC__
static sigjmp_buf recover;
static volatile int code;
static void trap(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  code = info->si_code;
  siglongjmp(recover, 1);
}
#endif

int main(void) {
  volatile int steps = 0;
  int result = setjmp(jump);
  steps++;
  if (result == 0) deep(50);
  printf("setjmp %d steps %d\n", result, steps);
  printf("longjmp 0 gives %d\n", (steps = 0, setjmp(jump)) == 0 ? (steps == 0 ? (steps = 1, longjmp(jump, 0), 0) : 0) : 1);

  long double values[] = {0.0L, 1.0L / 3, 1e4000L, LDBL_MIN, LDBL_MAX, LDBL_EPSILON, -2.5L, 3.14159265358979323846264338327950288L};
  for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
    printf("%.20Lg %La %Lf\n", values[i], values[i], i == 2 || i == 4 ? 0 : values[i]);
  }
  printf("%.25Lf\n", strtold("1.1", NULL));
  printf("%.30Lg %.30Lg\n", sqrtl(2), expl(1));
  printf("%.21Lg %.21Lg %.21Lg\n", sinl(1), logl(10), powl(2, 0.5L));
  printf("%.17g %.17g %.17g %.17g\n", sin(1), exp(1), pow(2, 0.3), atan2(1, 3));
  printf("%a %a %g %g\n", DBL_MIN / 8, DBL_MAX, INFINITY, -INFINITY);
  printf("%d %d %d\n", isnan(NAN), isnan(0.0 * INFINITY), signbit(-0.0) != 0);
  printf("%.0f %.0f %.0f %.0f\n", rint(0.5), rint(1.5), rint(2.5), rint(-0.5));
  printf("%ld %ld %lld\n", lrint(2.5), lround(2.5), llrint(-1e15 - 0.5));

  int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  volatile double one = 1, three = 3, minus = -1;
  volatile long double longone = 1, longthree = 3;
  for (int i = 0; i < 4; i++) {
    fesetround(modes[i]);
    printf("mode %d: %.20g %.20g %.25Lg %ld\n", i, one / three, minus / three, longone / longthree, lrint(2.5));
  }
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);
  volatile double big = 1e308, small = 1e-308, zero = 0, r;
  r = one / zero;
  show_exceptions("1/0");
  r = zero / zero;
  show_exceptions("0/0");
  r = big * big;
  show_exceptions("big");
  r = small * small;
  show_exceptions("small");
  r = one / three;
  show_exceptions("1/3");
  volatile long double lr = longone / longthree;
  show_exceptions("long 1/3");
  lr = sqrtl(-longone);
  show_exceptions("long sqrt(-1)");
  (void)r;
  (void)lr;
  fenv_t environment;
  feholdexcept(&environment);
  feraiseexcept(FE_OVERFLOW);
  feupdateenv(&environment);
  show_exceptions("raised");
#ifdef __GLIBC__
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = trap;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGFPE, &action, NULL);
  feenableexcept(FE_DIVBYZERO | FE_INVALID);
  if (sigsetjmp(recover, 1) == 0) r = one / zero;
  printf("trapped %d\n", code);
  feenableexcept(FE_DIVBYZERO | FE_INVALID);
  if (sigsetjmp(recover, 1) == 0) r = zero / zero;
  printf("trapped %d\n", code);
  fedisableexcept(FE_ALL_EXCEPT);
#endif
  double parsed;
  sscanf("2.2250738585072011e-308", "%lf", &parsed);
  printf("%a\n", parsed);
  printf("%.15g\n", strtod("0x1.8p1", NULL));
  return 0;
}
