// A mote without a clock, for Arduino with an Ethernet shield: sends one value over HTTP every 15 minutes. Not tested.
//
// A record without a time gets the time of its arrival. So each request has a key: requests with the same key are the
// same reading. AVR boards have no TLS: use a closed network.
#include <Ethernet.h>
#include <SPI.h>

const char HOST[] = "192.0.2.1";  // the river's gateway, or its balancer
const uint16_t PORT = 8080;
const char TOKEN[] = "…";         // a line of river/mote-tokens
const char NAME[] = "ford/temperature";
const char UNIT[] = "Cel";
const unsigned long PAUSE = 15UL * 60 * 1000;

byte mac[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};
EthernetClient client;

// Put your sensor here.
float measure() {
    return 25.0 * analogRead(A0) / 1023;
}

// Returns the HTTP status; 0 if there was no answer.
int post(const char *body, const char *key) {
    if (!client.connect(HOST, PORT)) {
        return 0;
    }
    client.print(F("POST /v1/observations HTTP/1.1\r\nHost: "));
    client.print(HOST);
    client.print(F("\r\nAuthorization: Bearer "));
    client.print(TOKEN);
    client.print(F("\r\nContent-Type: application/senml+json\r\nConnection: close\r\nIdempotency-Key: "));
    client.print(key);
    client.print(F("\r\nContent-Length: "));
    client.print(strlen(body));
    client.print(F("\r\n\r\n"));
    client.print(body);
    client.setTimeout(30000);
    const bool answered = client.find("HTTP/1.1 ");
    const int status = answered ? client.parseInt() : 0;
    client.stop();
    return status;
}

void setup() {
    Serial.begin(9600);
    while (Ethernet.begin(mac) == 0) {
        delay(5000);
    }
    randomSeed(analogRead(A5) ^ micros());
}

void loop() {
    char number[16], body[128], key[24];
    dtostrf(measure(), 1, 2, number);
    snprintf(body, sizeof body, "[{\"n\":\"%s\",\"u\":\"%s\",\"v\":%s}]", NAME, UNIT, number);
    snprintf(key, sizeof key, "%08lx%08lx", (unsigned long)random(), micros());
    int status;
    while ((status = post(body, key)) == 0 || status == 408 || status == 429 || status == 503) {
        delay(5000);  // then sends the same bytes again, with the same key
    }
    Serial.println(status == 202 ? F("safe") : F("refused for good"));
    delay(PAUSE);
}
