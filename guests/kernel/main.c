/* Prints, counts checks, leads interrupts to their handlers, and ends the machine. */
#include "kernel.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define TRANSMITTER_EMPTY 0x20
#define DEBUG_EXIT 0xf4
/* isa-debug-exit makes twice the value plus one of it. */
#define ALL_WELL 0x10
#define FAILED 0x11

extern bool call_and_return(void (*)(void), uint64_t *);
extern char end_call[];
extern uint32_t multiboot_magic;

static int failures;
static handler *handlers[256];
static uint64_t fault_context[8];
static volatile bool expecting;
static struct fault met;

static void put(char character) {
  while ((in8(LINE_STATUS) & TRANSMITTER_EMPTY) == 0) {
  }
  out8(COM1, character);
}

void say(const char *text) {
  for (; *text != 0; text++) put(*text);
}

void say_number(uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

void check(bool holds, const char *what) {
  say(holds ? "ok: " : "FAILED: ");
  say(what);
  say("\n");
  if (!holds) failures++;
}

_Noreturn void finish(void) {
  say(failures == 0 ? "all is well\n" : "something is wrong\n");
  out8(DEBUG_EXIT, failures == 0 ? ALL_WELL : FAILED);
  for (;;) __asm__ volatile("cli; hlt");
}

void handle(int vector, handler *function) { handlers[vector] = function; }

/* Called by interrupt-entry.S. */
void interrupted(struct frame *frame) {
  if (handlers[frame->vector] != NULL) {
    handlers[frame->vector](frame);
    return;
  }
  if (expecting && frame->vector < 32) {
    expecting = false;
    met = (struct fault){frame->vector, frame->error, READ_CR(2), frame->rip};
    frame->rip = (uint64_t)end_call;
    frame->rdi = (uint64_t)fault_context;
    frame->cs = KERNEL_CODE;
    frame->ss = KERNEL_DATA;
    return;
  }
  say("unexpected interrupt ");
  say_number(frame->vector);
  say(" at ");
  say_number(frame->rip);
  say(" error ");
  say_number(frame->error);
  say(" cr2 ");
  say_number(READ_CR(2));
  say("\n");
  failures++;
  finish();
}

struct fault fault(void (*function)(void)) {
  expecting = true;
  if (call_and_return(function, fault_context)) met.vector = -1;
  expecting = false;
  return met;
}

void kernel_main(void) {
  check(multiboot_magic == 0x2badb002, "a multiboot loader has started us");
  set_up_descriptors();
  mask_pics(0xff); /* firmware has left the 8254 running */
  check_exceptions();
  check_paging();
  check_user_mode();
  check_timers();
  finish();
}
