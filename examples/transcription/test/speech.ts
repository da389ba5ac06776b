/**
 * "hello from the model cache", 16 kHz, mono, 16 bit. Made with:
 *
 *     espeak-ng -s 140 -w spoken.wav "hello from the model cache"
 *     sox spoken.wav -r 16000 -c 1 -b 16 speech.wav
 */
export const SPEECH = new URL('speech.wav', import.meta.url)
