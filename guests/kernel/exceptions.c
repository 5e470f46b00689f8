/* What the processor raises, and with which error code: Intel SDM vol. 3, 6.15. */
#include "kernel.h"

#define NON_CANONICAL ((volatile uint64_t *)0x8000000000000000)

static void divide(void) { __asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "ecx", "eax", "edx"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void undefined(void) { __asm__ volatile("ud2"); }
static void non_canonical(void) { (void)*NON_CANONICAL; }
static void bad_selector(void) { __asm__ volatile("movw %w0, %%ds" ::"r"(0x1230)); }
static void bad_stack(void) { __asm__ volatile("movw %w0, %%ss" ::"r"(KERNEL_CODE)); }
static void fpu_switched_off(void) {
  WRITE_CR(0, READ_CR(0) | 8);
  __asm__ volatile("fnop");
}
static void software_interrupt(void) { __asm__ volatile("int $0x30"); }

/* Single step: TF makes a trap behind the next instruction. */
static volatile uint64_t steps, step_rip, step_dr6;
static void on_step(struct frame *frame) {
  steps++;
  step_rip = frame->rip;
  __asm__ volatile("mov %%dr6, %0" : "=r"(step_dr6));
  frame->rflags &= ~0x100ull;
}

static void single_step(void) {
  uint64_t expected;
  handle(1, on_step);
  __asm__ volatile(
      "leaq 1f(%%rip), %0\n\t"
      "pushfq; orq $0x100, (%%rsp); popfq\n\t"
      "nop\n"
      "1:\tnop"
      : "=r"(expected)::"memory", "cc");
  check(steps == 1 && step_rip == expected && (step_dr6 & 0x4000) != 0, "TF traps behind one instruction");
  handle(1, NULL);
}

static volatile uint64_t interrupts;
static void on_interrupt(struct frame *frame) {
  (void)frame;
  interrupts++;
}

/* #GP whose gate is not present: a double fault, on a stack of its own. */
static void double_fault(void) {
  __asm__ volatile("movq %0, %%rsp; pushq $0" ::"r"(0x7ffffffffff8ull - 0x700000000000ull));
}

void check_exceptions(void) {
  struct fault met = fault(divide);
  check(met.vector == 0, "#DE: a division by zero");
  met = fault(breakpoint);
  check(met.vector == 3 && met.rip == (uint64_t)breakpoint + 1, "#BP: INT3, RIP behind it");
  met = fault(undefined);
  check(met.vector == 6 && met.rip == (uint64_t)undefined, "#UD: UD2, RIP at it");
  met = fault(non_canonical);
  check(met.vector == 13 && met.error == 0, "#GP: an address that is not canonical");
  met = fault(bad_selector);
  check(met.vector == 13 && met.error == 0x1230, "#GP: a selector beyond the GDT, in the error code");
  met = fault(bad_stack);
  check(met.vector == 13 && met.error == KERNEL_CODE, "#GP: code in SS");
  met = fault(fpu_switched_off);
  check(met.vector == 7, "#NM: x87 with CR0.TS");
  __asm__ volatile("clts");
  handle(0x30, on_interrupt);
  software_interrupt();
  check(interrupts == 1, "INT n");
  single_step();
  set_stack_of_gate(8, 1);
  met = fault(double_fault);
  check(met.vector == 8 && met.error == 0, "#DF: a page fault without a stack, on a stack from the IST");
}
