/* Replaces libFuzzer, so that make test needs no clang. It tries ROUNDS mutations of the files in
 * FOLDER (made by seeds.py), with a seeded random generator.
 *
 * fuzz_NAME ROUNDS FOLDER */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS_MAX 4096
#define INPUT_MAX 65536

typedef struct seed {
    uint8_t *data;
    size_t size;
} seed_t;

static seed_t seeds[SEEDS_MAX];
static size_t n_seeds;
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return limit > 0 ? (uint32_t)((random_state >> 32) % limit) : 0;
}

static void add_file(const char *path) {
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    const size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    uint8_t *kept = n_seeds < SEEDS_MAX && size > 0 ? malloc(size) : NULL;
    if (kept != NULL) {
        memcpy(kept, data, size);
        seeds[n_seeds++] = (seed_t){kept, size};
    }
}

static void add_folder(const char *path) {
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') {
            add_file(name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static size_t mutate(uint8_t *data, size_t size) {
    for (uint32_t n = 1 + random_below(6); n > 0; n--) {
        const size_t at = random_below((uint32_t)size);
        const seed_t *other = &seeds[random_below((uint32_t)n_seeds)];
        const size_t from = random_below((uint32_t)other->size);
        size_t length = random_below((uint32_t)(other->size - from) + 1);
        switch (random_below(6)) {
        case 0:
            data[at] ^= (uint8_t)(1u << random_below(8));
            break;
        case 1:
            data[at] = (uint8_t)random_below(256);
            break;
        case 2: /* removes a piece */
            length = random_below((uint32_t)(size - at));
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        case 3: /* inserts a piece of another seed */
            length = size + length <= INPUT_MAX ? length : 0;
            memmove(data + at + length, data + at, size - at);
            memcpy(data + at, other->data + from, length);
            size += length;
            break;
        case 4: /* repeats a piece */
            length = random_below((uint32_t)(size - at) + 1);
            length = size + length <= INPUT_MAX ? length : 0;
            memmove(data + at + length, data + at, size - at);
            size += length;
            break;
        default: /* truncates the input */
            size = random_below(8) == 0 ? at + 1 : size;
            break;
        }
        if (size == 0) {
            data[0] = (uint8_t)random_below(256);
            size = 1;
        }
    }
    return size;
}

/* The input is copied to memory of exactly its size, so that reads past its end are detected. */
static void run_one(const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact != NULL) {
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
}

int main(int argc, char **argv) {
    static uint8_t data[INPUT_MAX];
    if (argc != 3) {
        fprintf(stderr, "usage: %s ROUNDS FOLDER\n", argv[0]);
        return 2;
    }
    add_folder(argv[2]);
    if (n_seeds == 0) {
        fprintf(stderr, "%s: nothing to begin with in %s\n", argv[0], argv[2]);
        return 1;
    }
    const unsigned long rounds = strtoul(argv[1], NULL, 10);
    for (size_t i = 0; i < n_seeds; i++) {
        run_one(seeds[i].data, seeds[i].size);
    }
    for (unsigned long round = 0; round < rounds; round++) {
        const seed_t *seed = &seeds[random_below((uint32_t)n_seeds)];
        memcpy(data, seed->data, seed->size);
        run_one(data, mutate(data, seed->size));
    }
    printf("%s: %zu seeds, %lu mutations, no fault\n", argv[0], n_seeds, rounds);
    for (size_t i = 0; i < n_seeds; i++) {
        free(seeds[i].data);
    }
    return 0;
}
