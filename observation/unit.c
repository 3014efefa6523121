#include "observation/unit.h"

#include "common/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FOOT 0.3048
#define CUBIC_FOOT 0.028316846592
#define MMHG 133.322387415
#define PART_MIN 4 /* bytes of a label's part */
#define KNOT (1852.0 / 3600.0)

/* Columns: QUDT name, UCUM code, SenML name, aliases, label, quantity kind, the word that keeps
 * units apart (or NULL), factor, offset, and whether the SenML name is that of a secondary unit.
 * The base unit of a quantity is the row with factor 1 and offset 0. */
const ir_unit_t ir_units[] = {
    {"DEG_C", "Cel", "Cel", "degC|deg C|Deg C|°C|ºC|℃", "degree Celsius", "Temperature", NULL, 1, 0,
     false},
    {"DEG_F", "[degF]", "[degF]", "degF|deg F|Deg F|°F|ºF", "degree Fahrenheit", "Temperature",
     NULL, 5.0 / 9.0, -160.0 / 9.0, false},
    {"K", "K", "K", "", "kelvin", "Temperature", NULL, 1, -273.15, false},

    {"M", "m", "m", "", "metre", "Length", NULL, 1, 0, false},
    {"FT", "[ft_i]", "ft", "[ft_us]", "foot", "Length", NULL, FOOT, 0, false},
    {"IN", "[in_i]", "in", "", "inch", "Length", NULL, FOOT / 12, 0, false},
    {"CentiM", "cm", "cm", "", "centimetre", "Length", NULL, 0.01, 0, true},
    {"MilliM", "mm", "mm", "", "millimetre", "Length", NULL, 0.001, 0, true},
    {"KiloM", "km", "km", "", "kilometre", "Length", NULL, 1000, 0, true},

    {"M3-PER-SEC", "m3/s", "m3/s", "m³/s|m^3/s|cms", "cubic metre per second", "VolumeFlowRate",
     NULL, 1, 0, false},
    {"FT3-PER-SEC", "[ft_i]3/s", "ft3/s", "ft³/s|ft^3/s|cfs|[cft_i]/s", "cubic foot per second",
     "VolumeFlowRate", NULL, CUBIC_FOOT, 0, false},
    {"L-PER-SEC", "L/s", "l/s", "", "litre per second", "VolumeFlowRate", NULL, 0.001, 0, false},

    {"S-PER-M", "S/m", "S/m", "", "siemens per metre", "ElectrolyticConductivity", NULL, 1, 0,
     false},
    {"MilliS-PER-CentiM", "mS/cm", "mS/cm", "", "millisiemens per centimetre",
     "ElectrolyticConductivity", NULL, 0.1, 0, false},
    {"MicroS-PER-CentiM", "uS/cm", "uS/cm", "µS/cm|μS/cm|uS/cm @25C", "microsiemens per centimetre",
     "ElectrolyticConductivity", NULL, 1e-4, 0, false},

    {"KiloGM-PER-M3", "kg/m3", "kg/m3", "kg/m³", "kilogram per cubic metre", "MassConcentration",
     NULL, 1, 0, false},
    {"GM-PER-L", "g/L", "g/l", "", "gram per litre", "MassConcentration", NULL, 1, 0, true},
    {"MilliGM-PER-L", "mg/L", "mg/l", "", "milligram per litre", "MassConcentration", NULL, 1e-3, 0,
     true},
    {"MicroGM-PER-L", "ug/L", "ug/l", "µg/l|µg/L|μg/l|μg/L", "microgram per litre",
     "MassConcentration", NULL, 1e-6, 0, true},
    {"MicroGM-PER-M3", "ug/m3", "ug/m3", "µg/m3|µg/m³|μg/m³", "microgram per cubic metre",
     "MassConcentration", NULL, 1e-9, 0, true},

    {"NTU", "{NTU}", "NTU", "[NTU]", "nephelometric turbidity unit", "Turbidity", "NTU", 1, 0,
     false},
    {"NTU", "{FNU}", "FNU", "", "formazin nephelometric unit", "Turbidity", "FNU", 1, 0, false},

    {"PH", "[pH]", "pH", "std units", "pH", "Acidity", NULL, 1, 0, false},

    {"UNITLESS", "1", "/", "", "ratio", "DimensionlessRatio", NULL, 1, 0, false},
    {"PERCENT", "%", "/100", "", "percent", "DimensionlessRatio", NULL, 0.01, 0, true},
    {"PERCENT_RH", "%{RH}", "%RH", "", "percent relative humidity", "DimensionlessRatio", NULL,
     0.01, 0, false},
    {"PERCENT", "%{EL}", "%EL", "", "percent of the battery's charge", "DimensionlessRatio", NULL,
     0.01, 0, false},
    {"PPM", "[ppm]", "ppm", "", "part per million", "DimensionlessRatio", NULL, 1e-6, 0, true},
    {"PPTH", "[ppth]", "/1000", "", "part per thousand", "DimensionlessRatio", NULL, 1e-3, 0, true},
    {"PPB", "[ppb]", "ppb", "", "part per billion", "DimensionlessRatio", NULL, 1e-9, 0, true},
    {"PPTR", "[pptr]", "ppt", "", "part per trillion", "DimensionlessRatio", NULL, 1e-12, 0, true},

    {"PA", "Pa", "Pa", "", "pascal", "Pressure", NULL, 1, 0, false},
    {"HectoPA", "hPa", "hPa", "mbar", "hectopascal", "Pressure", NULL, 100, 0, true},
    {"KiloPA", "kPa", "kPa", "", "kilopascal", "Pressure", NULL, 1000, 0, false},
    {"MilliM_HG", "mm[Hg]", "mmHg", "", "millimetre of mercury", "Pressure", NULL, MMHG, 0, false},

    {"M-PER-SEC", "m/s", "m/s", "", "metre per second", "Velocity", NULL, 1, 0, false},
    {"KN", "[kn_i]", "kn", "knot", "knot", "Velocity", NULL, KNOT, 0, false},
    {"KiloM-PER-HR", "km/h", "km/h", "", "kilometre per hour", "Velocity", NULL, 1 / 3.6, 0, true},
    {"M-PER-HR", "m/h", "m/h", "", "metre per hour", "Velocity", NULL, 1 / 3600.0, 0, true},
    {"FT-PER-SEC", "[ft_i]/s", "ft/s", "", "foot per second", "Velocity", NULL, FOOT, 0, false},
    {"MilliM-PER-HR", "mm/h", "mm/h", "", "millimetre per hour", "RainfallRate", NULL, 1, 0, true},
    {"IN-PER-HR", "[in_i]/h", "in/h", "", "inch per hour", "RainfallRate", NULL, 25.4, 0, false},

    {"LUX", "lx", "lx", "lux", "lux", "Illuminance", NULL, 1, 0, false},
    {"V", "V", "V", "", "volt", "Voltage", NULL, 1, 0, false},
    {"MilliV", "mV", "mV", "", "millivolt", "Voltage", NULL, 1e-3, 0, true},
    {"A", "A", "A", "", "ampere", "ElectricCurrent", NULL, 1, 0, false},
    {"MilliA", "mA", "mA", "", "milliampere", "ElectricCurrent", NULL, 1e-3, 0, true},
    {"W", "W", "W", "", "watt", "Power", NULL, 1, 0, false},
    {"KiloW", "kW", "kW", "", "kilowatt", "Power", NULL, 1000, 0, true},
    {"W-PER-M2", "W/m2", "W/m2", "W/m²|W/m^2", "watt per square metre", "Irradiance", NULL, 1, 0,
     false},
    {"DeciB_M", "dB[mW]", "dBm", "", "decibel-milliwatt", "SignalStrength", NULL, 1, 0, true},
    {"DEG", "deg", "deg", "", "degree", "Angle", NULL, 1, 0, false},
    {"RAD", "rad", "rad", "", "radian", "Angle", NULL, 57.29577951308232, 0, false},
    {"DEG", "deg{lat}", "lat", "", "degree of latitude", "Latitude", NULL, 1, 0, false},
    {"DEG", "deg{lon}", "lon", "", "degree of longitude", "Longitude", NULL, 1, 0, false},
    {"SEC", "s", "s", "", "second", "Time", NULL, 1, 0, false},
    {"SEC", "s{EL}", "EL", "", "second of the battery's charge", "Time", NULL, 1, 0, false},
    {"MilliSEC", "ms", "ms", "", "millisecond", "Time", NULL, 1e-3, 0, true},
    {"MIN", "min", "min", "", "minute", "Time", NULL, 60, 0, true},
    {"HR", "h", "h", "", "hour", "Time", NULL, 3600, 0, true},
    {"NUM", "{#}", "count", "", "count", "Count", NULL, 1, 0, false},
    {"NUM", "{beats}", "beats", "", "heart beat", "Count", NULL, 1, 0, false},

    {"M2", "m2", "m2", "m²", "square metre", "Area", NULL, 1, 0, false},
    {"M3", "m3", "m3", "m³", "cubic metre", "Volume", NULL, 1, 0, false},
    {"L", "L", "l", "", "litre", "Volume", NULL, 1e-3, 0, false},
    {"KiloGM", "kg", "kg", "", "kilogram", "Mass", NULL, 1, 0, false},
    {"GM", "g", "g", "", "gram", "Mass", NULL, 1e-3, 0, false},
    {"M-PER-SEC2", "m/s2", "m/s2", "", "metre per square second", "Acceleration", NULL, 1, 0,
     false},
    {"G", "[g]", "gravity", "", "standard gravity", "Acceleration", NULL, 9.80665, 0, true},
    {"N", "N", "N", "", "newton", "Force", NULL, 1, 0, false},
    {"J", "J", "J", "", "joule", "Energy", NULL, 1, 0, false},
    {"W-HR", "W.h", "Wh", "", "watt hour", "Energy", NULL, 3600, 0, true},
    {"KiloW-HR", "kW.h", "kWh", "", "kilowatt hour", "Energy", NULL, 3600000, 0, true},
    {"HZ", "Hz", "Hz", "", "hertz", "Frequency", NULL, 1, 0, false},
    {"MegaHZ", "MHz", "MHz", "", "megahertz", "Frequency", NULL, 1e6, 0, true},
    {"PER-SEC", "/s", "1/s", "", "per second", "Frequency", NULL, 1, 0, false},
    {"PER-MIN", "/min", "1/min", "", "per minute", "Frequency", NULL, 1 / 60.0, 0, false},
    {"BEAT-PER-MIN", "{beat}/min", "beat/min", "", "heart beat per minute", "HeartRate", NULL, 1, 0,
     false},
    {"C", "C", "C", "", "coulomb", "ElectricCharge", NULL, 1, 0, false},
    {"A-HR", "A.h", "Ah", "", "ampere hour", "ElectricCharge", NULL, 3600, 0, true},
    {"OHM", "Ohm", "Ohm", "", "ohm", "Resistance", NULL, 1, 0, false},
    {"S", "S", "S", "", "siemens", "Conductance", NULL, 1, 0, false},
    {"FARAD", "F", "F", "", "farad", "Capacitance", NULL, 1, 0, false},
    {"H", "H", "H", "", "henry", "Inductance", NULL, 1, 0, false},
    {"WB", "Wb", "Wb", "", "weber", "MagneticFlux", NULL, 1, 0, false},
    {"T", "T", "T", "", "tesla", "MagneticFluxDensity", NULL, 1, 0, false},
    {"V-A", "V.A", "VA", "", "volt ampere", "ApparentPower", NULL, 1, 0, false},
    {"KiloV-A", "kV.A", "kVA", "", "kilovolt ampere", "ApparentPower", NULL, 1000, 0, true},
    {"V-A_Reactive", "var", "var", "", "volt ampere reactive", "ReactivePower", NULL, 1, 0, false},
    {"KiloV-A_Reactive", "kvar", "kvar", "", "kilovolt ampere reactive", "ReactivePower", NULL,
     1000, 0, true},
    {"CD", "cd", "cd", "", "candela", "LuminousIntensity", NULL, 1, 0, false},
    {"CD-PER-M2", "cd/m2", "cd/m2", "", "candela per square metre", "Luminance", NULL, 1, 0, false},
    {"LM", "lm", "lm", "", "lumen", "LuminousFlux", NULL, 1, 0, false},
    {"SR", "sr", "sr", "", "steradian", "SolidAngle", NULL, 1, 0, false},
    {"MOL", "mol", "mol", "", "mole", "AmountOfSubstance", NULL, 1, 0, false},
    {"KAT", "kat", "kat", "", "katal", "CatalyticActivity", NULL, 1, 0, false},
    {"BQ", "Bq", "Bq", "", "becquerel", "Activity", NULL, 1, 0, false},
    {"GRAY", "Gy", "Gy", "", "gray", "AbsorbedDose", NULL, 1, 0, false},
    {"SV", "Sv", "Sv", "", "sievert", "DoseEquivalent", NULL, 1, 0, false},
    {"DeciB", "dB", "dB", "", "decibel", "SoundPressureLevel", NULL, 1, 0, false},
    {"BIT", "bit", "bit", "", "bit", "InformationEntropy", NULL, 1, 0, false},
    {"BYTE", "By", "B", "", "byte", "InformationEntropy", NULL, 8, 0, false},
    {"KibiBYTE", "KiBy", "KiB", "", "kibibyte", "InformationEntropy", NULL, 8192, 0, true},
    {"GigaBYTE", "GBy", "GB", "", "gigabyte", "InformationEntropy", NULL, 8e9, 0, true},
    {"BIT-PER-SEC", "bit/s", "bit/s", "", "bit per second", "DataRate", NULL, 1, 0, false},
    {"MegaBIT-PER-SEC", "Mbit/s", "Mbit/s", "", "megabit per second", "DataRate", NULL, 1e6, 0,
     true},
    {"BYTE-PER-SEC", "By/s", "B/s", "", "byte per second", "DataRate", NULL, 8, 0, true},
    {"MegaBYTE-PER-SEC", "MBy/s", "MB/s", "", "megabyte per second", "DataRate", NULL, 8e6, 0,
     true},
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

/* Whether the text occurs in a label; "celsius" does. */
static bool is_part(ir_view_t text, const char *label) {
    char copy[IR_NEAREST_SIZE + 1];
    if (text.size < PART_MIN || text.size > IR_NEAREST_SIZE) {
        return false;
    }
    snprintf(copy, sizeof copy, "%.*s", IR_VIEW_ARG(text));
    return strcasestr(label, copy) != NULL;
}

const char *ir_unit_like(ir_view_t text, char out[static IR_NEAREST_TEXT_SIZE]) {
    ir_nearest_t nearest = ir_nearest(text);
    ir_nearest_t by_label = ir_nearest(text);
    const char *part = NULL;
    for (size_t i = 0; i < ir_units_count; i++) {
        const ir_unit_t *unit = &ir_units[i];
        ir_nearest_try(&nearest, unit->senml);
        ir_nearest_try(&nearest, unit->ucum);
        ir_nearest_try(&nearest, unit->qudt);
        const char *before = by_label.name;
        ir_nearest_try(&by_label, unit->label);
        by_label.name = by_label.name != before ? unit->senml : before;
        part = part == NULL && is_part(text, unit->label) ? unit->senml : part;
    }
    if (by_label.distance < nearest.distance) {
        nearest = by_label;
    }
    nearest.name = nearest.name != NULL ? nearest.name : part;
    return nearest.name != NULL ? ir_nearest_text(&nearest, "", out)
                                : "; docs/reference/registry.md lists them";
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
