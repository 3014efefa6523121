#include "stations/property.h"

#include <stddef.h>

static const ir_known_property_t properties[] = {
    {"temperature", "temperature", "Temperature"},
    {"water-temperature", "water temperature", "Temperature"},
    {"air-temperature", "air temperature", "Temperature"},
    {"discharge", "discharge", "VolumeFlowRate"},
    {"level", "water level", "Length"},
    {"water-level", "water level", "Length"},
    {"gage-height", "gage height", "Length"},
    {"stage", "stage", "Length"},
    {"depth", "depth", "Length"},
    {"groundwater-level", "groundwater level", "Length"},
    {"velocity", "water velocity", "Velocity"},
    {"conductivity", "electrical conductivity", "ElectrolyticConductivity"},
    {"specific-conductance", "specific conductance at 25 °C", "ElectrolyticConductivity"},
    {"dissolved-oxygen", "dissolved oxygen", "MassConcentration"},
    {"oxygen-saturation", "oxygen saturation", "DimensionlessRatio"},
    {"ph", "pH", "Acidity"},
    {"turbidity", "turbidity", "Turbidity"},
    {"suspended-sediment", "suspended sediment", "MassConcentration"},
    {"chlorophyll", "chlorophyll", "MassConcentration"},
    {"nitrate", "nitrate", "MassConcentration"},
    {"ammonium", "ammonium", "MassConcentration"},
    {"phosphate", "phosphate", "MassConcentration"},
    {"precipitation", "precipitation", "Length"},
    {"rainfall-rate", "rainfall rate", "RainfallRate"},
    {"air-pressure", "air pressure", "Pressure"},
    {"humidity", "relative humidity", "DimensionlessRatio"},
    {"wind-speed", "wind speed", "Velocity"},
    {"irradiance", "irradiance", "Irradiance"},
    {"battery-voltage", "battery voltage", "Voltage"},
};

const ir_known_property_t *ir_known_property_find(ir_view_t key, ir_nearest_t *nearest) {
    *nearest = ir_nearest(key);
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (ir_view_equal(ir_view_text(properties[i].key), key)) {
            return &properties[i];
        }
        ir_nearest_try(nearest, properties[i].key);
    }
    return NULL;
}
