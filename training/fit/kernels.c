/* What a layer computes besides products, on bfloat16 rows of one core: each in one pass, in float32 inside.

   `kernels.py` compiles and calls this. A bfloat16 number is the upper half of a float32. */

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;
typedef const bf16 *restrict rows_in;
typedef bf16 *restrict rows_out;
typedef const float *restrict floats;

static inline float widen(bf16 half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline bf16 narrow(float value) { /* to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* Within 2e-7 of the value, for x in [-87, 88]; the polynomial is that of expf in Cephes (https://netlib.org/cephes/). */
static inline float exponential(float x) {
    float whole = nearbyintf(x * 1.44269504f);
    float rest = fmaf(whole, -0.693359375f, x);
    rest = fmaf(whole, 2.12194440e-4f, rest);
    float p = 1.9875691500e-4f;
    p = fmaf(p, rest, 1.3981999507e-3f);
    p = fmaf(p, rest, 8.3334519073e-3f);
    p = fmaf(p, rest, 4.1665795894e-2f);
    p = fmaf(p, rest, 1.6666665459e-1f);
    p = fmaf(p, rest, 5.0000001201e-1f);
    p = fmaf(p * rest, rest, rest + 1.0f);
    uint32_t bits = (uint32_t)((int32_t)whole + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

static inline float clamp(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

static float inverse_rms(rows_in x, long width, float epsilon) {
    float sum = 0;
    for (long i = 0; i < width; i++) sum += widen(x[i]) * widen(x[i]);
    return 1.0f / sqrtf(sum / width + epsilon);
}

/* The root mean square norm times `gain`; `inverse`: 1 / the root mean square of each row. */
void normalise(rows_in x, floats gain, rows_out out, float *restrict inverse, long rows, long width, float epsilon) {
    for (long row = 0; row < rows; row++, x += width, out += width) {
        float scale = inverse[row] = inverse_rms(x, width, epsilon);
        for (long i = 0; i < width; i++) out[i] = narrow(widen(x[i]) * scale * gain[i]);
    }
}

void normalise_backward(rows_in gradient, rows_in x, floats gain, floats inverse, rows_out out, long rows, long width) {
    for (long row = 0; row < rows; row++, x += width, out += width, gradient += width) {
        float scale = inverse[row], along = 0;
        for (long i = 0; i < width; i++) along += widen(gradient[i]) * gain[i] * widen(x[i]);
        along *= scale * scale / width;
        for (long i = 0; i < width; i++)
            out[i] = narrow((widen(gradient[i]) * gain[i] - along * widen(x[i])) * scale);
    }
}

/* The norm of each head, then its rotary position; cos and sin have half as many columns. */
void normalise_and_rotate(rows_in x, floats gain, floats cos, floats sin, rows_out out, float *restrict inverse,
                          long tokens, long heads, long width, float epsilon) {
    long half = width / 2;
    for (long row = 0; row < tokens * heads; row++, x += width, out += width) {
        floats c = cos + row / heads * half, s = sin + row / heads * half;
        float scale = inverse[row] = inverse_rms(x, width, epsilon);
        for (long i = 0; i < half; i++) {
            float low = widen(x[i]) * scale * gain[i], high = widen(x[i + half]) * scale * gain[i + half];
            out[i] = narrow(low * c[i] - high * s[i]);
            out[i + half] = narrow(high * c[i] + low * s[i]);
        }
    }
}

void normalise_and_rotate_backward(rows_in gradient, rows_in x, floats gain, floats cos, floats sin, floats inverse,
                                   rows_out out, long tokens, long heads, long width) {
    long half = width / 2;
    for (long row = 0; row < tokens * heads; row++, x += width, out += width, gradient += width) {
        floats c = cos + row / heads * half, s = sin + row / heads * half;
        float scale = inverse[row], along = 0;
        for (long i = 0; i < half; i++) {
            float low = widen(gradient[i]), high = widen(gradient[i + half]);
            along += (low * c[i] + high * s[i]) * gain[i] * widen(x[i]);
            along += (high * c[i] - low * s[i]) * gain[i + half] * widen(x[i + half]);
        }
        along *= scale * scale / width;
        for (long i = 0; i < half; i++) {
            float low = widen(gradient[i]), high = widen(gradient[i + half]);
            float of_low = (low * c[i] + high * s[i]) * gain[i], of_high = (high * c[i] - low * s[i]) * gain[i + half];
            out[i] = narrow((of_low - along * widen(x[i])) * scale);
            out[i + half] = narrow((of_high - along * widen(x[i + half])) * scale);
        }
    }
}

#define GELU 1.5957691216f /* 2 sqrt(2 / pi): the tanh of GELU is a sigmoid of twice its argument */
#define CUBIC 0.044715f

static inline float opened(float x) {
    return 1.0f / (1.0f + exponential(-clamp((x + CUBIC * x * x * x) * GELU, -80.0f, 80.0f)));
}

void gate(rows_in gate, rows_in up, rows_out out, long size) {
    for (long i = 0; i < size; i++) {
        float x = widen(gate[i]);
        out[i] = narrow(x * opened(x) * widen(up[i]));
    }
}

void gate_backward(rows_in gradient, rows_in gate, rows_in up, rows_out of_gate, rows_out of_up, long size) {
    for (long i = 0; i < size; i++) {
        float x = widen(gate[i]), g = widen(gradient[i]), open = opened(x);
        float slope = open * (1.0f + x * GELU * (1.0f + 3.0f * CUBIC * x * x) * (1.0f - open));
        of_gate[i] = narrow(g * widen(up[i]) * slope);
        of_up[i] = narrow(g * x * open);
    }
}

/* In place: scores of a block of queries, each with `heads` rows; a query sees the last `window` keys up to itself,
   and `before` keys precede the first query. */
void softmax(rows_out scores, long queries, long heads, long keys, long before, long window) {
    for (long query = 0; query < queries; query++) {
        long end = before + query + 1, begin = end > window ? end - window : 0;
        for (long head = 0; head < heads; head++, scores += keys) {
            float most = -INFINITY, sum = 0;
            float shares[end - begin];
            for (long i = begin; i < end; i++) {
                float score = widen(scores[i]);
                most = score > most ? score : most;
            }
            for (long i = begin; i < end; i++) {
                shares[i - begin] = exponential(clamp(widen(scores[i]) - most, -80.0f, 0.0f));
                sum += shares[i - begin];
            }
            sum = 1.0f / sum;
            memset(scores, 0, begin * sizeof(bf16));
            for (long i = begin; i < end; i++) scores[i] = narrow(shares[i - begin] * sum);
            memset(scores + end, 0, (keys - end) * sizeof(bf16));
        }
    }
}

/* In place: from the gradient of the shares to that of the scores. */
void softmax_backward(rows_out gradient, rows_in shares, long rows, long keys) {
    for (long row = 0; row < rows; row++, gradient += keys, shares += keys) {
        float along = 0;
        for (long i = 0; i < keys; i++) along += widen(gradient[i]) * widen(shares[i]);
        for (long i = 0; i < keys; i++) gradient[i] = narrow((widen(gradient[i]) - along) * widen(shares[i]));
    }
}
