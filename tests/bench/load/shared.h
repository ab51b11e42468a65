/* What the upstream and the client agree on: the clock, the stamps in events, and the checksum.
 *
 * Every event begins with the same three numbers, so that each receiver can tell how long it was
 * on its way, and whether it is the one that was due:
 *
 *     data: {"id":"bench","choices":[{"index":0,"delta":{"content":"#<sent> <asked> <index> words
 *
 *   sent   CLOCK_MONOTONIC, nanoseconds, 19 digits, just before the event was written
 *   asked  the same clock when the request had come
 *   index  6 digits, from 0
 *
 * The last event before [DONE] holds the number of events and the Adler-32 (RFC 1950, section 8.2)
 * of all the bytes before it, so that any receiver, or a recording, can be checked by itself.
 */
#ifndef BENCH_SHARED_H
#define BENCH_SHARED_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define STAMP_DIGITS 19
#define INDEX_DIGITS 6

static const char EVENT_HEAD[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,"
    "\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"#";
static const char EVENT_TAIL[] = "\"},\"finish_reason\":null}]}\n\n";
static const char SUM_HEAD[] =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,"
    "\"model\":\"bench\",\"choices\":[],\"bench\":{\"events\":";
static const char SUM_MIDDLE[] = ",\"adler32\":";
static const char DONE_EVENT[] = "data: [DONE]\n\n";

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint32_t adler32(uint32_t sum, const char *data, size_t length) {
    uint32_t low = sum & 0xffff, high = sum >> 16;
    while (length) {
        /* 5552 is as far as the sums go without overflowing 32 bits. */
        size_t run = length < 5552 ? length : 5552;
        length -= run;
        while (run--) {
            low += (unsigned char)*data++;
            high += low;
        }
        low %= 65521;
        high %= 65521;
    }
    return high << 16 | low;
}

#endif
