#include "observation/unit.h"

#include "common/number.h"

#include <math.h>
#include <string.h>

#define FOOT 0.3048
#define CUBIC_FOOT 0.028316846592
#define MMHG 133.322387415
#define KNOT (1852.0 / 3600.0)

/* Columns: QUDT, UCUM, SenML, aliases, label, quantity kind, kept apart, factor, offset.
 * The base of a quantity is the row with factor 1 and offset 0. */
const ir_unit_t ir_units[] = {
    {"DEG_C", "Cel", "Cel", "degC|deg C|°C", "degree Celsius", "Temperature", NULL, 1, 0},
    {"DEG_F", "[degF]", "[degF]", "degF|deg F|°F", "degree Fahrenheit", "Temperature", NULL,
     5.0 / 9.0, -160.0 / 9.0},
    {"K", "K", "K", "", "kelvin", "Temperature", NULL, 1, -273.15},

    {"M", "m", "m", "", "metre", "Length", NULL, 1, 0},
    {"FT", "[ft_i]", "ft", "[ft_us]", "foot", "Length", NULL, FOOT, 0},
    {"IN", "[in_i]", "in", "", "inch", "Length", NULL, FOOT / 12, 0},
    {"CentiM", "cm", "cm", "", "centimetre", "Length", NULL, 0.01, 0},
    {"MilliM", "mm", "mm", "", "millimetre", "Length", NULL, 0.001, 0},
    {"KiloM", "km", "km", "", "kilometre", "Length", NULL, 1000, 0},

    {"M3-PER-SEC", "m3/s", "m3/s", "cms", "cubic metre per second", "VolumeFlowRate", NULL, 1, 0},
    {"FT3-PER-SEC", "[ft_i]3/s", "ft3/s", "cfs|[cft_i]/s", "cubic foot per second",
     "VolumeFlowRate", NULL, CUBIC_FOOT, 0},
    {"L-PER-SEC", "L/s", "l/s", "", "litre per second", "VolumeFlowRate", NULL, 0.001, 0},

    {"S-PER-M", "S/m", "S/m", "", "siemens per metre", "ElectrolyticConductivity", NULL, 1, 0},
    {"MilliS-PER-CentiM", "mS/cm", "mS/cm", "", "millisiemens per centimetre",
     "ElectrolyticConductivity", NULL, 0.1, 0},
    {"MicroS-PER-CentiM", "uS/cm", "uS/cm", "µS/cm|uS/cm @25C", "microsiemens per centimetre",
     "ElectrolyticConductivity", NULL, 1e-4, 0},

    {"KiloGM-PER-M3", "kg/m3", "kg/m3", "", "kilogram per cubic metre", "MassConcentration", NULL,
     1, 0},
    {"GM-PER-L", "g/L", "g/l", "", "gram per litre", "MassConcentration", NULL, 1, 0},
    {"MilliGM-PER-L", "mg/L", "mg/l", "", "milligram per litre", "MassConcentration", NULL, 1e-3,
     0},
    {"MicroGM-PER-L", "ug/L", "ug/l", "µg/l|µg/L", "microgram per litre", "MassConcentration", NULL,
     1e-6, 0},

    {"NTU", "{NTU}", "NTU", "[NTU]", "nephelometric turbidity unit", "Turbidity", "NTU", 1, 0},
    {"NTU", "{FNU}", "FNU", "", "formazin nephelometric unit", "Turbidity", "FNU", 1, 0},

    {"PH", "[pH]", "pH", "std units", "pH", "Acidity", NULL, 1, 0},

    {"UNITLESS", "1", "/", "", "ratio", "DimensionlessRatio", NULL, 1, 0},
    {"PERCENT", "%", "/100", "", "percent", "DimensionlessRatio", NULL, 0.01, 0},
    {"PERCENT_RH", "%{RH}", "%RH", "", "percent relative humidity", "RelativeHumidity", NULL, 1, 0},
    {"PPM", "[ppm]", "ppm", "", "part per million", "DimensionlessRatio", NULL, 1e-6, 0},

    {"PA", "Pa", "Pa", "", "pascal", "Pressure", NULL, 1, 0},
    {"HectoPA", "hPa", "hPa", "mbar", "hectopascal", "Pressure", NULL, 100, 0},
    {"KiloPA", "kPa", "kPa", "", "kilopascal", "Pressure", NULL, 1000, 0},
    {"MilliM_HG", "mm[Hg]", "mmHg", "", "millimetre of mercury", "Pressure", NULL, MMHG, 0},

    {"M-PER-SEC", "m/s", "m/s", "", "metre per second", "Velocity", NULL, 1, 0},
    {"KN", "[kn_i]", "kn", "knot", "knot", "Velocity", NULL, KNOT, 0},
    {"KiloM-PER-HR", "km/h", "km/h", "", "kilometre per hour", "Velocity", NULL, 1 / 3.6, 0},
    {"FT-PER-SEC", "[ft_i]/s", "ft/s", "", "foot per second", "Velocity", NULL, FOOT, 0},
    {"MilliM-PER-HR", "mm/h", "mm/h", "", "millimetre per hour", "RainfallRate", NULL, 1, 0},
    {"IN-PER-HR", "[in_i]/h", "in/h", "", "inch per hour", "RainfallRate", NULL, 25.4, 0},

    {"LUX", "lx", "lx", "lux", "lux", "Illuminance", NULL, 1, 0},
    {"V", "V", "V", "", "volt", "Voltage", NULL, 1, 0},
    {"MilliV", "mV", "mV", "", "millivolt", "Voltage", NULL, 1e-3, 0},
    {"A", "A", "A", "", "ampere", "ElectricCurrent", NULL, 1, 0},
    {"MilliA", "mA", "mA", "", "milliampere", "ElectricCurrent", NULL, 1e-3, 0},
    {"W", "W", "W", "", "watt", "Power", NULL, 1, 0},
    {"W-PER-M2", "W/m2", "W/m2", "", "watt per square metre", "Irradiance", NULL, 1, 0},
    {"DeciB_M", "dB[mW]", "dBm", "", "decibel-milliwatt", "SignalStrength", NULL, 1, 0},
    {"DEG", "deg", "deg", "", "degree", "Angle", NULL, 1, 0},
    {"RAD", "rad", "rad", "", "radian", "Angle", NULL, 57.29577951308232, 0},
    {"SEC", "s", "s", "", "second", "Time", NULL, 1, 0},
    {"MIN", "min", "min", "", "minute", "Time", NULL, 60, 0},
    {"HR", "h", "h", "", "hour", "Time", NULL, 3600, 0},
    {"NUM", "{#}", "count", "", "count", "Count", NULL, 1, 0},
};
const size_t ir_units_count = sizeof ir_units / sizeof ir_units[0];

static bool is_alias(const char *aliases, ir_view_t text) {
    while (*aliases != '\0') {
        const size_t size = strcspn(aliases, "|");
        if (size == text.size && memcmp(aliases, text.data, size) == 0) {
            return true;
        }
        aliases += size + (aliases[size] == '|');
    }
    return false;
}

static bool is_text(const char *name, ir_view_t text) {
    return strlen(name) == text.size && memcmp(name, text.data, text.size) == 0;
}

const ir_unit_t *ir_unit_find(ir_view_t text) {
    if (text.size == 0) {
        return NULL;
    }
    for (size_t i = 0; i < ir_units_count; i++) {
        if (is_text(ir_units[i].senml, text) || is_text(ir_units[i].ucum, text)) {
            return &ir_units[i];
        }
    }
    for (size_t i = 0; i < ir_units_count; i++) {
        if (is_alias(ir_units[i].aliases, text)) {
            return &ir_units[i];
        }
    }
    return NULL;
}

const ir_unit_t *ir_unit_find_qudt(ir_view_t local_name) {
    for (size_t i = 0; i < ir_units_count; i++) {
        if (local_name.size > 0 && is_text(ir_units[i].qudt, local_name)) {
            return &ir_units[i];
        }
    }
    return NULL;
}

bool ir_unit_converts(const ir_unit_t *from, const ir_unit_t *to) {
    if (from == to) {
        return true;
    }
    return strcmp(from->quantity, to->quantity) == 0 &&
           (from->apart == NULL) == (to->apart == NULL) &&
           (from->apart == NULL || strcmp(from->apart, to->apart) == 0);
}

double ir_unit_convert(double value, const ir_unit_t *from, const ir_unit_t *to) {
    if (from == to) {
        return value;
    }
    const double base = value * from->factor + from->offset;
    const double largest =
        fmax(fabs(value * from->factor), fmax(fabs(from->offset), fabs(to->offset)));
    const bool shifted = from->offset != 0 || to->offset != 0;
    return ir_number_round15((base - to->offset) / to->factor,
                             shifted ? largest / fabs(to->factor) : 0);
}
