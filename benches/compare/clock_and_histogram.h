// Shared by the load programs: a monotonic clock, and a histogram of latencies in steps of 10 us.
#include <time.h>

#define BUCKETS 500000 // 10 us each: up to 5 s; later ones fall into the last

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

typedef struct {
  long count[BUCKETS + 1];
} histogram;

static inline void histogram_add(histogram *h, double seconds) {
  long bucket = seconds * 1e5;
  h->count[bucket < 0 ? 0 : bucket > BUCKETS ? BUCKETS : bucket]++;
}

// Upper bound of the bucket that holds the given share of all values, in ms; -1 without values.
static inline double histogram_ms(const histogram *h, double share) {
  long all = 0, below = 0;
  for (int i = 0; i <= BUCKETS; i++) all += h->count[i];
  for (int i = 0; i <= BUCKETS; i++) {
    below += h->count[i];
    if (all && below >= share * all) return (i + 1) / 100.0;
  }
  return -1;
}
