package caudal;

import java.util.Arrays;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.catalog.functions.BoundFunction;
import org.apache.spark.sql.connector.catalog.functions.ScalarFunction;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What strict readers have in common: a SQL function that returns (verdict: long, record: struct). A record
 * that is complete and fits the schema exactly gives its row and a verdict of at least 0. Otherwise the
 * verdict is minus the number of a {@link Fault.Code}, and the record is null.
 */
abstract class Strict implements ScalarFunction<InternalRow>, UnboundFunction {
  private static final long serialVersionUID = 1L;

  private final String schema;
  private final DataType[] inputs;

  /** {@code schema}: a StructType as JSON. */
  Strict(String schema, DataType... inputs) {
    this.schema = schema;
    this.inputs = inputs;
  }

  static InternalRow answer(long verdict, InternalRow record) {
    return new GenericInternalRow(new Object[] {verdict, record});
  }

  @Override
  public BoundFunction bind(StructType given) {
    DataType[] types = Arrays.stream(given.fields()).map(field -> field.dataType()).toArray(DataType[]::new);
    if (!Arrays.equals(types, inputs)) {
      throw new UnsupportedOperationException("takes " + Arrays.toString(inputs));
    }
    return this;
  }

  @Override
  public DataType[] inputTypes() {
    return inputs;
  }

  @Override
  public DataType resultType() {
    StructType record = ((StructType) DataType.fromJson(schema)).asNullable();
    return new StructType().add("verdict", DataTypes.LongType, false).add("record", record, true);
  }

  @Override
  public boolean isResultNullable() {
    return false;
  }

  /** Its text in a query plan. */
  @Override
  public String toString() {
    return name();
  }

  @Override
  public String description() {
    return name() + ": (verdict, record)";
  }
}
