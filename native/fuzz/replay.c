/*
 * Runs a target over inputs that are kept as text, without libFuzzer: each line of the named files
 * is one input in hexadecimal; what stands behind a # is a remark. An input that fails ends the
 * process, and the line says which one it was.
 */
#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char running[4096];

/* Said when a check or a sanitizer ends the process. */
static void tell_input(int signal_number) {
  const ssize_t written = write(STDERR_FILENO, running, strlen(running));
  _exit(written < 0 ? 2 : 128 + signal_number);
}

static int digit_value(char digit) {
  const char *digits = "0123456789abcdef";
  const char *at = digit == '\0' ? NULL : strchr(digits, digit);
  return at == NULL ? -1 : (int)(at - digits);
}

/* The input of a line, in a block of exactly its size; NULL when it is none. */
static uint8_t *read_input(const char *line, size_t *length) {
  const size_t digits = strcspn(line, " #\n");
  uint8_t *bytes = malloc(digits / 2 + (digits < 2));
  *length = digits / 2;
  if (bytes == NULL || digits % 2 != 0) {
    free(bytes);
    return NULL;
  }
  for (size_t i = 0; i < *length; i++) {
    const int high = digit_value(line[2 * i]), low = digit_value(line[2 * i + 1]);
    if (high < 0 || low < 0) {
      free(bytes);
      return NULL;
    }
    bytes[i] = (uint8_t)(high << 4 | low);
  }
  return bytes;
}

static int replay_file(const char *path) {
  char *line = NULL;
  size_t room = 0, length;
  int number = 0, count = 0;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  while (getline(&line, &room, file) >= 0) {
    number++;
    if (line[0] == '#' || line[0] == '\n') continue;
    uint8_t *bytes = read_input(line, &length);
    if (bytes == NULL) {
      fprintf(stderr, "%s:%d: no input in hexadecimal\n", path, number);
      exit(1);
    }
    snprintf(running, sizeof running, "%s:%d: this input fails\n", path, number);
    LLVMFuzzerTestOneInput(bytes, length);
    free(bytes);
    count++;
  }
  free(line);
  fclose(file);
  return count;
}

int main(int arguments_count, char **arguments) {
  int count = 0;
  signal(SIGABRT, tell_input);
  for (int i = 1; i < arguments_count; i++) count += replay_file(arguments[i]);
  printf("%d inputs replayed\n", count);
  return count > 0 ? 0 : 1;
}
