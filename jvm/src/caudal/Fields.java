package caudal;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** The fields of one struct, by exact name; {@code folded} holds their names in lower case, to tell a wrong case from an unknown field. */
final class Fields {
  final String[] names;
  final DataType[] types;
  final boolean[] required;
  final Fields[] nested;
  final int[] weights; // of an array column its number among them, from 1; of every other 0
  private final Map<String, Integer> places = new HashMap<>();
  private final Map<String, String> folded = new HashMap<>();

  private Fields(StructType struct) {
    StructField[] fields = struct.fields();
    names = new String[fields.length];
    types = new DataType[fields.length];
    required = new boolean[fields.length];
    nested = new Fields[fields.length];
    weights = new int[fields.length];
    int arrays = 0;
    for (int i = 0; i < fields.length; i++) {
      names[i] = fields[i].name();
      types[i] = fields[i].dataType();
      required[i] = !fields[i].nullable();
      nested[i] = below(types[i]);
      weights[i] = types[i] instanceof ArrayType ? ++arrays : 0;
      places.put(names[i], i);
      folded.put(names[i].toLowerCase(Locale.ROOT), names[i]);
    }
  }

  static Fields parse(String json) {
    return new Fields((StructType) DataType.fromJson(json));
  }

  /** The fields of a struct, or of the structs in an array or map of any depth; null where there are none. */
  private static Fields below(DataType type) {
    if (type instanceof StructType struct) {
      return new Fields(struct);
    }
    DataType element = Types.element(type);
    return element == null ? null : below(element);
  }

  /** The first field that must hold a value and does not; -1 when none. */
  int firstMissing(BitSet filled) {
    for (int i = 0; i < required.length; i++) {
      if (required[i] && !filled.get(i)) {
        return i;
      }
    }
    return -1;
  }

  /** The field's place; -1 for a name that is not one of them. */
  int place(String name) {
    Integer found = places.get(name);
    return found == null ? -1 : found;
  }

  /** The field this name would be with other capitals; null when there is none. */
  String otherCase(String name) {
    return folded.get(name.toLowerCase(Locale.ROOT));
  }
}
